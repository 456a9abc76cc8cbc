"""Parts of a batch on threads of their own; compiled kernels release the interpreter's lock."""

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch

Result = TypeVar("Result")

_SMALLEST = 20_000_000  # floating-point operations below which a thread costs more than it brings
_GRAIN = 8  # sequences: with fewer, a part reads the weights for too little work


def in_parts(run: Callable[[int, int], Result], sequences: int, operations: int) -> list[Result]:
    """What run(lo, hi) returns for the sequences in parts, in order.

    There are as many parts as torch has threads and the work deserves.
    """
    parts = min(torch.get_num_threads(), operations // _SMALLEST, sequences // _GRAIN)
    if parts <= 1:
        return [run(0, sequences)]
    bounds = [sequences * part // parts for part in range(parts + 1)]
    pool = _pool(parts - 1)
    others = [pool.submit(run, lo, hi) for lo, hi in itertools.pairwise(bounds[1:])]
    return [run(0, bounds[1]), *(other.result() for other in others)]


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="shinso-nn")


# A forked child inherits the pool but none of its threads.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)
