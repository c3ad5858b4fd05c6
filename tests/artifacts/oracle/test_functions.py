"""The oracle's own NumPy text of every function, beside the records: values and complex steps."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.artifacts.oracle import functions as oracle_functions
from symopt.artifacts.oracle import runtime as oracle_runtime
from symopt.artifacts.oracle.parts import INFIX, text_name
from symopt.primitives.record import Elementwise
from symopt.primitives.registry import PRIMITIVES
from symopt.primitives.robust import ROBUST_LOSSES

STEP = 2.0**-540
# Each implementation is good to some units in the last place, in tails of exp(-x^2) to x^2 of them.
TOLERANCE = 1e-13
RECORDS = [record for record in PRIMITIVES.values() if record.name not in INFIX]


def samples(record: Elementwise, rng: np.random.Generator) -> list:
    """Points over the domain: some anywhere, some of ordinary size, and ends of kinks."""
    columns = []
    for low, high in record.domain:
        if low == high:
            columns.append(int(low))
            continue
        middle = (max(low, -3.0), min(high, 3.0)) if low < 3 and high > -3 else (low, high)
        columns.append(np.concatenate([rng.uniform(low, high, 20), rng.uniform(*middle, 60)]))
    return columns


def test_every_function_has_a_text() -> None:
    missing = [r.name for r in RECORDS if not hasattr(oracle_functions, text_name(r.name))]
    assert not missing


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_values_and_complex_steps_agree_with_the_record(record: Elementwise) -> None:
    rng = np.random.default_rng(len(record.name))
    ours = getattr(oracle_functions, text_name(record.name))
    points = samples(record, rng)
    with np.errstate(all="ignore"):
        value, wanted = ours(*points), record.reference(*points)
        moved = 0.0
        for k, column in enumerate(points):
            if isinstance(column, int):
                continue
            stepped = [p + 1j * STEP if j == k else p for j, p in enumerate(points)]
            slope, right = (np.imag(f(*stepped)) / STEP for f in (ours, record.reference))
            moved = moved + np.abs(column * np.nan_to_num(right, posinf=0.0, neginf=0.0))
            # A slope is no better than what rounding does to its arguments and to the value.
            near = [p * (1 + 1e-9) if not isinstance(p, int) else p for p in stepped]
            bend = np.abs(np.imag(record.reference(*near)) / STEP - right) / 1e-9
            size = np.nan_to_num(np.maximum(bend, np.abs(wanted / column)))
            check(slope, right, np.maximum(np.abs(right), size))
            check(np.real(ours(*stepped)), value, np.maximum(np.abs(value), moved))
    check(value, wanted, np.maximum(np.abs(wanted), moved))


def check(found: np.ndarray, wanted: np.ndarray, size: np.ndarray) -> None:
    found, wanted = np.asarray(found, float), np.asarray(wanted, float)
    good = np.isfinite(wanted)
    assert np.isfinite(found[good]).all()
    off = np.abs(found - wanted)[good] / np.maximum(size, 1e-290)[good]
    assert off.max(initial=0.0) < TOLERANCE, (found[good][off.argmax()], wanted[good][off.argmax()])


@pytest.mark.parametrize("name", ROBUST_LOSSES)
def test_robust_curvature_is_raised_near_a_point(name: str) -> None:
    loss, rng = ROBUST_LOSSES[name], np.random.default_rng(3)
    forms = [getattr(oracle_functions, f"{name}_{form}") for form in ("rho", "rho1", "rho2")]
    s, near = rng.uniform(0.1, 30.0, 40), {}
    value = oracle_runtime.robust(forms, s, 0.8, near, 0)
    np.testing.assert_allclose(value, loss.rho.reference(s, 0.8), rtol=1e-14)
    h = 1e-3
    ahead, behind = (
        np.imag(oracle_runtime.robust(forms, s + d + 1j * STEP, 0.8, near, 0)) / STEP
        for d in (h, -h)
    )
    with np.errstate(all="ignore"):
        slope, bend = loss.rho1.reference(s, 0.8), loss.rho2.reference(s, 0.8)
        wanted = np.fmax(bend, -slope / (2 * s))
    np.testing.assert_allclose((ahead + behind) / 2, slope, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose((ahead - behind) / (2 * h), wanted, rtol=1e-10, atol=1e-13)
