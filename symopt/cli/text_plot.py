"""Convergence drawn with characters, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_WIDTH, _HEIGHT = 64, 14
_MARKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LEAST = 1e-16  # of the first distance to the best value; below is rounding


def convergence_lines(traces: Mapping[str, Any], maximize: bool) -> Iterator[str]:
    """How far the best value so far is from the best of all, by the time passed; both by powers."""
    curves = {
        name: curve for name, t in traces.items() if (curve := _curve(t, maximize)) is not None
    }
    if not curves:
        return
    best = min(float(values[-1]) for _, values in curves.values())
    first = max(float(values[0]) - best for _, values in curves.values())
    if not first > 0:
        return
    heights = {n: np.log10(np.maximum((v - best) / first, _LEAST)) for n, (_, v) in curves.items()}
    low = min(float(h.min()) for h in heights.values()) or -1.0
    times = np.concatenate([t[1:] for t, _ in curves.values() if len(t) > 1] or [np.ones(1)])
    left, right = np.log10(max(float(times.min()), 1e-6)), np.log10(max(float(times.max()), 1e-5))
    right = max(right, left + 1e-3)
    canvas = np.full((_HEIGHT, _WIDTH), " ")
    columns = np.linspace(left, right, _WIDTH)
    for mark, (name, (time, _)) in zip(_MARKS, curves.items(), strict=False):
        place = np.searchsorted(time, 10.0**columns, side="right") - 1
        shown = place < len(time) - 1
        shown[int(np.argmin(shown))] = True  # where it ended, once
        rows = np.rint(heights[name][np.clip(place, 0, None)] / low * (_HEIGHT - 1)).astype(int)
        canvas[rows[shown], np.flatnonzero(shown)] = mark
    yield ""
    yield "distance to the best value (first = 1), by seconds"
    for row, line in enumerate(canvas):
        label = f"1e{row * low / (_HEIGHT - 1):+.0f}" if row % 4 == 0 or row == _HEIGHT - 1 else ""
        yield f"{label:>6} │{''.join(line)}".rstrip()
    yield f"{'':>6} └{'─' * _WIDTH}"
    yield f"{'':>8}{10**left:<.2g}".ljust(_WIDTH) + f"{10**right:.2g} s"
    yield "        " + "  ".join(f"{m} {n}" for m, n in zip(_MARKS, curves, strict=False))


def _curve(trace: Any, maximize: bool) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Times and the best values until then, to be minimized; None where there are none."""
    values = -trace["value"] if maximize else trace["value"]
    finite = np.isfinite(values)
    if not finite.any():
        return None
    return trace["time"][finite], np.minimum.accumulate(values[finite])
