"""AlphaGo's chain: records → policy → stronger policy → its games → value network; and wrong input."""

from __future__ import annotations

import io
import re
import sys
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import torch

from shinso.cli.main import main
from shinso.data.go_files import read_games
from shinso.faults import DataFault, RunFault, UsageFault
from shinso.recipes import go_policy, go_self_play, go_value
from shinso.runs.checkpoint import load_weights
from shinso.walk.order import place
from shinso.walk.run import Run
from shinso.walk.training import train

SMALL = {"filters": 4, "evaluate_every": 5, "checkpoint_every": 5, "looked_at": 100}


@pytest.fixture(scope="module")
def policy(tmp_path_factory) -> Path:
    runs = tmp_path_factory.mktemp("policy")
    settings = {**SMALL, "layers": 1, "steps": 10, "batch_size": 16, "runs": str(runs)}
    order = place("go-policy", go_policy.BRIEF.data, ("test", settings))
    return train(order).folder.path


@pytest.fixture(scope="module")
def improved(policy, tmp_path_factory) -> Path:
    runs = tmp_path_factory.mktemp("improved")
    settings = {
        "start": str(policy), "komi": 9.0, "steps": 4, "batch_size": 8, "match_games": 8,
        "evaluate_every": 2, "snapshot_every": 2, "runs": str(runs),
    }  # fmt: skip
    return train(place("go-self-play", (), ("test", settings))).folder.path


def test_self_play_begins_as_the_run_it_names(policy, improved):
    run = Run.open(improved)
    model = run.use().model
    began = load_weights(policy / "seed0" / "weights" / "best.safetensors")
    start = model.start.state_dict()
    assert all(torch.equal(start[name], value) for name, value in began.items())
    # The size of the network is the start's, whatever the defaults are.
    assert model.policy.config.filters == 4
    names = {row.name for row in run.table().rows}
    assert {"the policy it began as", "random moves"} <= names


@pytest.fixture(scope="module")
def archive(improved, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("games") / "games.tar.gz"
    said = io.StringIO()
    with redirect_stdout(said):
        given = ["generate", str(improved), "-o", str(path), "--games", "30", "--seed", "3"]
        assert main(given) == 0
    assert "30" in said.getvalue()
    return path


@pytest.fixture(scope="module")
def value(archive, tmp_path_factory) -> Path:
    settings = {
        **SMALL, "blocks": 1, "steps": 6, "evaluate_every": 3, "batch_size": 8,
        "split": "0.6,0.2,0.2", "runs": str(tmp_path_factory.mktemp("value")),
    }  # fmt: skip
    return train(place("go-value", (archive,), ("test", settings))).folder.path


def test_generated_games_can_be_learnt_from(archive, value):
    games = read_games([archive])
    assert len(games) == 30
    assert games.side == 7
    assert (games.winners > 0).all()
    run = Run.open(value)
    metrics = run.result(0)["test"]["metrics"]
    assert {"mse", "winner", "mse_above_train"} <= set(metrics)
    rows = run.predict((archive,)).rows
    assert len(rows) == (games.begins[1:] - games.firsts).sum()
    assert all(-1 <= row[2] <= 1 for row in rows)


def played(words: list[str], monkeypatch, capsys) -> str:
    """What a GTP engine with these flags says to a first move on 7×7."""
    lines = "boardsize 7\ngenmove b\nquit\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    assert main(["go", "gtp", "--simulations", "8", *words]) == 0
    return capsys.readouterr().out.split("\n\n")[1]


def test_policy_and_value_play_together(improved, policy, value, monkeypatch, capsys):
    for start in (improved, policy):
        moved = played(["--policy", str(start), "--value", str(value)], monkeypatch, capsys)
        assert re.fullmatch(r"= ([A-G][1-7]|pass)", moved)
    both_values = ["--policy", str(value), "--value", str(value)]
    assert played(both_values, monkeypatch, capsys).startswith("? GO-NO-POLICY")
    both_policies = ["--policy", str(policy), "--value", str(policy)]
    assert played(both_policies, monkeypatch, capsys).startswith("? GO-NO-VALUE")


@pytest.mark.parametrize(
    "words",
    [
        ["--policy", "here"],
        ["--value", "here"],
        ["--policy", "here", "--value", "here", "--network", "here"],
    ],
)
def test_half_of_alphago_is_refused(words, capsys):
    assert main(["go", "gtp", *words]) == 2
    assert "SETTING-REFUSED" in capsys.readouterr().err


def test_wrong_starts_are_refused(policy, improved, tmp_path):
    def fault(**settings):
        config = go_self_play.Config(**settings)
        with pytest.raises((RunFault, UsageFault)) as found:
            go_self_play.read(config, settings.pop("paths", ()))
        assert found.value.next_step or found.value.why
        return found.value.code

    assert fault(start=tmp_path / "none") == "RUN-NOT-FOUND"
    assert fault(start=improved) == "START-REFUSED"
    assert fault(start=policy, model="residual") == "START-REFUSED"
    assert fault(start=policy, side=9) == "START-REFUSED"
    with pytest.raises(UsageFault, match="DATA-FILES"):
        go_self_play.read(go_self_play.Config(side=5), [tmp_path])
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    for name in ("status.json", "config.yaml", "data.json"):
        (unfinished / name).write_bytes((policy / name).read_bytes())
    assert fault(start=unfinished) == "RUN-NOT-TRAINED"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({}, "side"),
        ({"side": 2}, "side"),
        ({"side": 5, "snapshot_every": 0}, "snapshot_every"),
        ({"side": 5, "match_games": 1}, "match_games"),
    ],
)
def test_wrong_settings_name_themselves(wrong, named):
    with pytest.raises(ValueError, match=named):
        go_self_play.Config(**wrong)


def test_games_need_an_archive_to_go_to(improved, tmp_path, capsys):
    assert main(["generate", str(improved)]) == 2
    assert "OUTPUT-NEEDED" in capsys.readouterr().err
    wrong = tmp_path / "no" / "games.tar.gz"
    assert main(["generate", str(improved), "-o", str(wrong), "--games", "1"]) == 2
    assert "OUTPUT-REFUSED" in capsys.readouterr().err


def test_games_without_results_are_refused(tmp_path):
    for number in range(6):
        (tmp_path / f"{number}.sgf").write_text("(;GM[1]SZ[5];B[aa];W[bb])")
    with pytest.raises(DataFault, match="GO-NO-RESULTS"):
        go_value.read(go_value.Config(), [tmp_path])


def test_averaged_answers_are_the_same_for_turned_boards(policy):
    """With all eight symmetries a turned position gets turned answers."""
    from shinso.games.symmetry import inverses, symmetries

    run = Run.open(policy)
    use = run.use()
    use.config = go_policy.Config(turns=8)
    data = use.read_new(go_policy.BRIEF.data)
    samples = data.samples("new", "planes")
    chosen = np.arange(0, 200, 10)
    plain = use._chances(samples.take(chosen))
    assert np.allclose(plain.sum(1), 1)
    for turn in (1, 6):
        turned = use._chances(samples.take(chosen, np.full(len(chosen), turn)))
        assert np.allclose(turned, plain[:, symmetries(7)[turn]], atol=1e-5)
        assert np.allclose(turned[:, inverses(7)[turn]], plain, atol=1e-5)
