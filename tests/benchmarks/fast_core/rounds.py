"""Interleaved timing: in every round each contender runs once, in random order.

Other work on the machine and changes of the clock then meet all contenders alike, and the median
of the ratios within rounds says more than the ratio of any two times.
"""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from timeit import Timer

import numpy as np
from numpy.typing import NDArray

SHORTEST = 1e-3  # seconds of a sample: what a clock and a change of caches do not disturb
FEWEST, MOST = 5, 301


def interleaved(
    timers: Mapping[str, Timer], seconds: float, note: Callable[[str], None] | None = None
) -> dict[str, NDArray[np.float64]]:
    """Seconds of one call, by contender, in every round, taking about so many seconds in all."""
    calls = {name: _calls(timer) for name, timer in timers.items()}
    order = list(timers)
    shuffle = random.Random(0).shuffle
    start = time.perf_counter()
    rounds: list[dict[str, float]] = []
    while len(rounds) < MOST:
        shuffle(order)
        rounds.append({name: timers[name].timeit(calls[name]) / calls[name] for name in order})
        if time.perf_counter() - start > seconds and len(rounds) >= FEWEST:
            break
    if note:
        note(f"{len(rounds)} rounds")
    return {name: np.array([sample[name] for sample in rounds]) for name in timers}


def _calls(timer: Timer) -> int:
    """How many calls make a sample; the first warms up."""
    timer.timeit(1)
    count, taken = 1, timer.timeit(1)
    while taken < SHORTEST:
        count = max(2 * count, math.ceil(1.2 * count * SHORTEST / max(taken, 1e-7)))
        taken = timer.timeit(count)
    return count


@contextmanager
def one_core(core: int | None = None) -> Iterator[None]:
    """Keep this process and the threads it starts on one core, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before) if core is None else core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
