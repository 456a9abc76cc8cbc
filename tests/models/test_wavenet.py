"""A WaveNet: causal, a probability, and the same samples kept or recomputed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from shinso.models.wavenet import WaveNet
from shinso.models.wavenet_sampling import CachedSampler, draw_anew
from shinso.objectives.waveforms import level_bounds, mixture_log_share


def network(output="mulaw", labels=0, classes=256, **more) -> WaveNet:
    torch.manual_seed(1)
    settings = {
        "layers": 6,
        "largest_dilation": 8,
        "width": 8,
        "skips": 12,
        "components": 3,
        **more,
    }
    model = WaveNet(
        WaveNet.Config(output=output, **settings), num_labels=labels, num_classes=classes
    )
    with torch.no_grad():  # gates that matter, so that a fault in them is seen
        for weights in (model.stack.past, model.stack.now, model.head.weight):
            weights *= 2
    return model


def test_receptive_field_is_all_that_is_heard():
    model = network().double()
    assert model.receptive_field == 1 + 1 + 2 + 4 + 8 + 1 + 2
    given = model.embed[torch.randint(0, 256, (1, 40))].detach().requires_grad_()
    skips = model.stack(given)
    (gradient,) = torch.autograd.grad(skips[0, 30].sum(), given)
    heard = gradient[0].abs().sum(1) > 0
    assert heard.nonzero().flatten().tolist() == list(range(30 - model.receptive_field + 1, 31))


@pytest.mark.parametrize("labels", [0, 2])
@pytest.mark.parametrize("output", ["mulaw", "logistics"])
def test_kept_past_matches_recomputed_sample_for_sample(output, labels):
    model = network(output, labels)
    chances = np.random.default_rng(0).random((150, 2))
    label = 1 if labels else None
    sampler = CachedSampler(model, label)
    kept = np.concatenate([sampler.draw(chances[:60], 0.9), sampler.draw(chances[60:], 0.9)])
    again = draw_anew(model, chances, label, 0.9)
    np.testing.assert_array_equal(kept, again)
    assert len(set(kept)) > 10
    if labels:
        assert (CachedSampler(model, 0).draw(chances, 0.9) != kept).any()


def test_conditionals_multiply_to_a_probability():
    model = network(classes=4).double()
    every = torch.tensor(list(itertools.product(range(4), repeat=3)))
    with torch.no_grad():
        chances = model(every).softmax(-1).gather(2, every.unsqueeze(-1)).squeeze(-1)
    assert float(chances.prod(1).sum()) == pytest.approx(1, abs=1e-12)


def test_samples_come_as_often_as_the_network_says():
    model = network(classes=4)
    chances = np.random.default_rng(0).random((4000, 1, 2))
    first = [CachedSampler(model).draw(one)[0] for one in chances]
    with torch.no_grad():
        wanted = model(torch.zeros(1, 1, dtype=torch.long))[0, 0].softmax(-1).numpy()
    counted = np.bincount(np.array(first, dtype=int), minlength=4) / len(first)
    assert np.abs(counted - wanted).max() < 4 * 0.5 / len(first) ** 0.5


def test_mixture_is_drawn_no_narrower_than_it_is_scored():
    model = network("logistics", components=1)
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.copy_(torch.tensor([0.0, 0.1, -30.0]))
    drawn = CachedSampler(model).draw(np.random.default_rng(0).random((2000, 2)))
    every = torch.arange(-32768, 32768).double() / 32768
    parameters = model.head.bias.detach().double().expand(len(every), -1)
    chances = mixture_log_share(parameters, *level_bounds(every)).exp().numpy()
    wanted = (chances * (every.numpy() - 0.1) ** 2).sum() ** 0.5
    assert np.std(drawn) == pytest.approx(wanted, rel=0.1)


def test_labels_are_asked_for_where_there_are_some():
    samples = torch.zeros(2, 5, dtype=torch.long)
    with pytest.raises(ValueError, match="labels is missing"):
        network(labels=2)(samples)
    with pytest.raises(ValueError, match="labels is given"):
        network()(samples, torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="label is None"):
        CachedSampler(network(labels=2))


@pytest.mark.parametrize(
    ("name", "value"),
    [("layers", 0), ("largest_dilation", 12), ("width", 6), ("skips", 0), ("components", 0)],
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        WaveNet.Config(**{name: value})


def test_one_short_sound_is_overfitted():
    from shinso.training.gradient import GradientLearner
    from shinso.training.plan import Training

    model = network(layers=8)
    sound = torch.randint(100, 156, (1, 60), generator=torch.Generator().manual_seed(0))

    class Loss:
        def __call__(self, model, batch):
            scores = model(batch)
            return {"loss": torch.nn.functional.cross_entropy(scores[0], batch[0])}

        def state_dict(self):
            return {}

        def load_state_dict(self, state):
            pass

    learner = GradientLearner(model, Loss(), Training(steps=150, lr=1e-2))
    losses = [float(learner.step(sound)["loss"]) for _ in range(150)]
    assert losses[0] > 3
    assert losses[-1] < 0.1
