"""Make ``tones.tar.xz`` anew: ``python -m shinso.data.samples.regenerate_tones``.

Thirty short sounds as WAV files: a voice-like tone that rises, falls or stays, each ten times with
another pitch, length, loudness and breath. Generated, not recorded.
"""

from __future__ import annotations

import io
import lzma
import tarfile
import wave
from pathlib import Path

import numpy as np

SEED, RATE_HZ, TAKES = 20240102, 8000, 10
SLOPES = {"fall": -0.4, "flat": 0.0, "rise": 0.4}


def sound(rng: np.random.Generator, slope: float) -> np.ndarray:
    """Five harmonics of a pitch around 200 Hz that bends by ``slope`` octaves, with a soft begin and
    end, and noise at 1 % of the loudness."""
    length = int(rng.integers(600, 1000))
    along = np.linspace(0, 1, length)
    pitch_hz = rng.uniform(150, 260) * 2 ** (slope * (along - 0.5) * rng.uniform(0.8, 1.2))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ + rng.uniform(0, 2 * np.pi)
    strengths = 1 / np.arange(1, 6) * rng.uniform(0.5, 1.5, 5)
    voice = sum(s * np.sin((n + 1) * phase) for n, s in enumerate(strengths))
    envelope = np.sin(np.pi * along) ** 0.5
    loud = rng.uniform(0.2, 0.6) * (voice / np.abs(voice).max()) * envelope
    return np.round(32767 * (loud + 0.005 * rng.standard_normal(length))).astype("<i2")


def archive() -> bytes:
    """All sounds; the same call gives the same bytes."""
    rng = np.random.default_rng(SEED)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for label, slope in SLOPES.items():
            for take in range(TAKES):
                file = io.BytesIO()
                with wave.open(file, "wb") as out:
                    out.setnchannels(1)
                    out.setsampwidth(2)
                    out.setframerate(RATE_HZ)
                    out.writeframes(sound(rng, slope).tobytes())
                entry = tarfile.TarInfo(f"tones/{label}_{take}.wav")
                entry.size = len(file.getvalue())
                tar.addfile(entry, io.BytesIO(file.getvalue()))
    return lzma.compress(packed.getvalue(), preset=9)


if __name__ == "__main__":
    (Path(__file__).parent / "tones.tar.xz").write_bytes(archive())
