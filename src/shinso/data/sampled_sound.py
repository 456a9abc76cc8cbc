"""Sound as 16-bit samples at one rate, and whether a WAV file is whole."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int16

IN_A_PIPE = 0x7FFF0000  # bytes; sizes that writers take who cannot go back to the header


def missing_bytes(content: bytes) -> int:
    """How many bytes of sound a WAV file's header announces that are not there. What was written
    into a pipe announces as many as the format can hold; that says nothing."""
    place = 12 if content[:4] == b"RIFF" and content[8:12] == b"WAVE" else len(content)
    while place + 8 <= len(content):
        size = int.from_bytes(content[place + 4 : place + 8], "little")
        if content[place : place + 4] == b"data":
            return 0 if size >= IN_A_PIPE else max(0, place + 8 + size - len(content))
        place += 8 + size + size % 2
    return 0


def resampled(samples: np.ndarray, own: int, rate: int) -> np.ndarray:
    if own == rate:
        return samples
    from scipy.signal import resample_poly

    return resample_poly(samples, rate, own)


def as_16_bit(samples: np.ndarray) -> Int16[np.ndarray, " time"]:
    return np.clip(np.round(samples * 32768), -32768, 32767).astype(np.int16)
