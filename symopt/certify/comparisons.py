"""Numbers beside numbers: how far off, by what measure, and where most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symopt.certify.report import Comparison

Array = NDArray[Any]

# Of double precision: sums in another order and elementary functions good to an ulp or two leave
# some units of 1e-16 per operation; this leaves room for tens of thousands of them.
TOLERANCE = 2.0**-37
SINGLE = 2.0**-14  # of single precision


# Entries are made of numbers that others are made of, too, whose roundings they share: an entry far
# below the greatest need not be good to all of its own digits.
_SHARED = 2.0**-10


@dataclass(frozen=True, slots=True)
class Axis:
    """The names along one axis of a result, and the units of its entries there.

    Entries are comparable with each other along axes that have units.
    """

    names: Sequence[str]
    units: Array | None = None


def compare(
    function: str,
    oracle: str,
    found: Any,
    wanted: Any,
    scale: Any,
    axes: Sequence[Axis],
    tolerance: float = TOLERANCE,
) -> Comparison:
    """The greatest error of all entries; what is not finite has to be the same."""
    found, wanted = np.asarray(found, dtype=float), np.asarray(wanted, dtype=float)
    assert found.shape == wanted.shape, f"{function}: {found.shape} and {wanted.shape}"
    if not wanted.size:
        return Comparison(function, oracle, 0.0, tolerance)
    floor = np.maximum(np.nan_to_num(scale, posinf=0.0), _shared(wanted, axes))
    errors = relative_errors(found, wanted, floor)
    place = tuple(int(k) for k in np.unravel_index(int(np.argmax(errors)), errors.shape))
    return Comparison(
        function,
        oracle,
        float(errors[place]),
        tolerance,
        ", ".join(axis.names[k] for axis, k in zip(axes, place, strict=True)),
        float(found[place]),
        float(wanted[place]),
    )


def _shared(wanted: Array, axes: Sequence[Axis]) -> Array:
    """A small part of the greatest entry, in the units of each."""
    units = np.ones_like(wanted)
    for number, axis in enumerate(axes):
        if axis.units is not None:
            shape = [-1 if k == number else 1 for k in range(wanted.ndim)]
            units = units * axis.units.reshape(shape)
    pooled = tuple(number for number, axis in enumerate(axes) if axis.units is not None)
    if not pooled:
        return np.zeros_like(wanted)
    finite = np.where(np.isfinite(wanted), np.abs(wanted), 0.0)
    return _SHARED * (finite * units).max(axis=pooled, keepdims=True) / units


def relative_errors(found: Array, wanted: Array, scale: Array) -> Array:
    """|found - wanted| / max(|wanted|, scale), entry by entry; inf where only one is finite."""
    with np.errstate(all="ignore"):
        size = np.maximum(np.abs(wanted), scale)
        errors = np.abs(found - wanted) / np.where(size > 0, size, 1.0)
        finite = np.isfinite(found) & np.isfinite(wanted)
        alike = (np.isnan(found) & np.isnan(wanted)) | (found == wanted)
    return np.where(finite, errors, np.where(alike, 0.0, np.inf))
