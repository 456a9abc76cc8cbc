"""Fixed features of a vector: tiles that it falls into, or a Fourier basis."""

import numpy as np

from shinso.nn.kernels.compile_numba import kernel

PRIME, BASIS = np.uint64(0x100000001B3), np.uint64(0xCBF29CE484222325)


@kernel
def features(x, low, span, tiles, memory, frequencies, places, values):  # pragma: no cover
    """Write which features are on, and their values.

    With ``frequencies`` (feature, observation): φ_i = cos(π c_i · x̄), x̄ from 0 to 1. Without: one
    tile of each tiling, hashed (FNV-1a) to 0 … memory − 1. Tilings are displaced by 1, 3, 5, … parts
    of a tile along the observations (Sutton & Barto 2018, section 9.5.4).
    """
    if len(frequencies):
        for i in range(len(frequencies)):
            angle = 0.0
            for k in range(len(x)):
                angle += frequencies[i, k] * min(max((x[k] - low[k]) / span[k], 0.0), 1.0)
            places[i], values[i] = i, np.cos(np.pi * angle)
        return
    tilings = len(places)
    for tiling in range(tilings):
        mixed = (BASIS ^ np.uint64(tiling)) * PRIME
        for k in range(len(x)):
            inside = min(max((x[k] - low[k]) / span[k], 0.0), 1.0) * tiles
            shift = (tiling * (2 * k + 1) % tilings) / tilings
            mixed = (mixed ^ np.uint64(int(inside + shift))) * PRIME
        mixed ^= mixed >> np.uint64(32)
        places[tiling], values[tiling] = int(mixed % np.uint64(memory)), 1.0
