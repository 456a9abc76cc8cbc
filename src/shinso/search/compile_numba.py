"""Kernels of the search call kernels of the games: both are in the hash that names them."""

from pathlib import Path

from shinso.games.compile_numba import FOLDER, compiler, part

kernel = compiler(FOLDER, Path(__file__).parent)

__all__ = ["kernel", "part"]
