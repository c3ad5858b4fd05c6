"""What double precision can tell: its resolution, and steps in relation to it."""

from __future__ import annotations

import numpy as np

from symopt.optim.problem import Vector

EPSILON = float(np.finfo(np.float64).eps)


def relative_change(x: Vector, step: Vector, sizes: Vector) -> float:
    """The largest change of an unknown by a step, as a fraction of its size.

    `sizes` are typical ones: an unknown at zero counts as being as large as their rounding.
    """
    known = np.maximum(np.abs(x), EPSILON * sizes)
    return float(np.max(np.abs(step) / known, initial=0.0))
