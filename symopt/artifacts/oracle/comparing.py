"""What generated tests look at compiled functions with: complex steps, differences, comparisons.

Test files carry copies of these, and `generated/data.py` chooses their data and points by them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Array = Any
Function = Callable[[Array], Array]

STEP = 2.0**-540  # of complex steps: its square is 0
SHARED = 1e-3  # entries are good to their own digits down to this part of the greatest


def slopes(function: Function, x: Array, directions: Array) -> Array:
    """The derivative of a function along each direction, by complex step: exact to rounding."""
    with np.errstate(all="ignore"):
        return np.array([np.imag(function(x + 1j * STEP * along)) / STEP for along in directions])


def bend(function: Function, x: Array, v: Array, directions: Array, width: float) -> Array:
    """How these slopes change along v, by central differences of fourth order."""

    def at(t: float) -> Array:
        return slopes(function, x + t * v, directions)

    return (8 * (at(width) - at(-width)) - at(2 * width) + at(-2 * width)) / (12 * width)


def difference(function: Function, x: Array, v: Array, width: float) -> Array:
    """The derivative of a function along v, by central differences of fourth order."""
    near, far = (function(x + t * v) - function(x - t * v) for t in (width, 2 * width))
    return (8 * near - far) / (12 * width)


def allowed(wanted: Array, tolerance: float, scale: float = 0.0) -> Array:
    """How far each entry may be off; the first axis has entries that are comparable."""
    top = np.max(np.abs(wanted), axis=0, initial=scale) if np.ndim(wanted) else scale
    return tolerance * np.maximum(np.abs(wanted), SHARED * top)


def close(what: str, found: Array, wanted: Array, tolerance: float, scale: float = 0.0) -> None:
    """Fails where an entry is off by more than `allowed`."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape, f"{what} has shape {found.shape}, not {wanted.shape}"
    off, most = np.abs(found - wanted), allowed(wanted, tolerance, scale)
    bad = ~(off <= most)
    if bad.any():
        place = np.unravel_index(np.argmax(bad), bad.shape)
        raise AssertionError(
            f"{what}{list(map(int, place)) or ''}: {found[place]!r} should be {wanted[place]!r}, "
            f"up to {np.broadcast_to(most, bad.shape)[place]:.1e}"
        )


def same_bits(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Fails where results of functions are not the same to the last bit."""
    for name, result in wanted.items():
        pairs = zip(arrays_of(found[name]), arrays_of(result), strict=True)
        for one, other in pairs:
            assert np.array_equal(one, other, equal_nan=True), f"{name} gives other bits"


def arrays_of(result: Any) -> tuple[Array, ...]:
    """A result, or the several of a function."""
    return result if isinstance(result, tuple) else (result,)


def moved(start: Array, bounds: tuple[Array, Array], spread: float, seed: int) -> Array:
    """A point near the start, inside the bounds; any number where there is no start."""
    rng = np.random.default_rng(seed)
    start = np.where(np.isnan(start), 2 * rng.normal(size=start.shape), start).astype(float)
    lower, upper = (np.asarray(side, float) for side in bounds)
    start = np.clip(start, lower, upper)
    move = spread * rng.uniform(-1, 1, start.shape) * np.where(start == 0, 1.0, np.abs(start))
    outside = (start + move <= lower) | (start + move >= upper)
    return start + np.clip(np.where(outside, -move, move), (lower - start) / 2, (upper - start) / 2)


def directions_at(p: Array, every: int, count: int, seed: int) -> Array:
    """Directions to look along, in rows: along each parameter, or with more of them than `every`,
    some that move all.

    They are as long as the parameters are, so that derivatives along them are comparable.
    """
    size = np.where(p == 0, 1.0, np.abs(p))
    if len(p) <= every:
        return np.diag(size)
    rng = np.random.default_rng(seed)
    return size * rng.uniform(0.25, 1.0, (count, len(p))) * rng.choice((-1, 1), (count, len(p)))


def shifted(array: Array) -> Array:
    """A copy that begins one element after a 64-byte boundary."""
    array = np.asarray(array)
    buffer = np.zeros(array.nbytes + 128, np.uint8)
    start = -buffer.ctypes.data % 64 + array.itemsize
    copy = buffer[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def side_by_side(work: Callable[[], Mapping[str, Any]], times: int) -> list[Mapping[str, Any]]:
    """What two threads at once find, doing the same work several times each."""
    found: list[Mapping[str, Any]] = []
    gate = threading.Barrier(2)

    def run() -> None:
        gate.wait()
        found.extend([work() for _ in range(times)])

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2 * times, "a thread failed"
    return found


# ── random integers ──────────────────────────────────────────────────────────────────────────


def offsets(rng: np.random.Generator, shape: tuple[int, ...], below: int) -> Array:
    """Rising numbers from 0 to the greatest below a size."""
    drawn = np.sort(rng.integers(0, below, shape), axis=-1)
    drawn[..., :1], drawn[..., -1:] = 0, below - 1
    return drawn


def earlier(rng: np.random.Generator, shape: tuple[int, ...], below: int) -> Array:
    """Numbers below a size, each less than its own position."""
    return np.minimum(rng.integers(0, below, shape), np.maximum(np.arange(shape[-1]) - 1, 0))
