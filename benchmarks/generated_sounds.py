"""Can generated sounds be told apart by a classifier that has learned real ones only?

    python benchmarks/generated_sounds.py RUN RECORDINGS [TAKES] [TEMPERATURE]

RUN is a trained run of ``audio`` with labels, RECORDINGS what it was trained on; the classifier, a
logistic regression on a log spectrogram, learns the run's own train part. Printed: its accuracy on
the real test part and on TAKES generated sounds of each label, beside chance.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy.signal import stft
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from shinso.data import mulaw
from shinso.models.wavenet_sampling import CachedSampler
from shinso.walk.run import Run
from timing import print_table

BANDS, FRAMES = 20, 12


def features(samples: np.ndarray) -> np.ndarray:
    """Log energy in 20 bands (evenly on the mel scale's logarithm) at 12 times from begin to end of
    what is louder than a fiftieth of the loudest, so that silence at the ends does not count."""
    loud = np.flatnonzero(np.abs(samples) > np.abs(samples).max() / 50)
    x = samples[loud[0] : loud[-1] + 1].astype(float) if loud.size else samples.astype(float)
    x = np.pad(x, (0, max(0, 512 - len(x)))) / max(np.abs(x).max(), 1.0)
    energy = np.abs(stft(x, nperseg=256, noverlap=192)[2]) ** 2
    edges = np.unique(np.geomspace(2, len(energy), BANDS + 1).astype(int))
    bands = np.add.reduceat(energy, edges[:-1], axis=0)
    places = np.linspace(0, bands.shape[1] - 1, FRAMES).astype(int)
    return np.log(bands[:, places] + 1e-8).ravel()


def main(run_path: str, recordings: str, takes: int = 20, temperature: float = 1.0) -> None:
    run = Run.open(Path(run_path))
    use = run.use()
    data = run.order.recipe.read(run.order.config, [Path(recordings)])
    train, test = data.clips["train"], data.clips["test"]
    judge = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, C=0.05))
    judge.fit([features(one) for one in train.values], train.labels)
    real = judge.score([features(one) for one in test.values], test.labels)
    length = int(np.mean(train.lengths))
    right, by_label = [], []
    for label, name in enumerate(use.classes):
        made = []
        for take in range(takes):
            chances = np.random.default_rng([label, take]).random((length, 2))
            drawn = CachedSampler(use.model, label).draw(chances, temperature)
            made.append(
                np.round(drawn * mulaw.LEVELS) if use.model.mixture
                else mulaw.decode(drawn.astype(np.int64))
            )  # fmt: skip
        answers = judge.predict([features(one) for one in made])
        right += (answers == label).tolist()
        by_label.append([name, f"{(answers == label).mean():.2f}"])
    print_table(["label", "generated, named rightly"], by_label)
    error = (np.mean(right) * (1 - np.mean(right)) / len(right)) ** 0.5
    print(f"\nreal test part      {real:.3f} of {len(test)}")
    print(f"generated           {np.mean(right):.3f} ± {1.96 * error:.3f} of {len(right)}")
    print(f"chance              {1 / len(use.classes):.3f}")


if __name__ == "__main__":
    given = sys.argv[1:]
    main(
        given[0],
        given[1],
        *(kind(text) for kind, text in zip((int, float), given[2:], strict=False)),
    )
