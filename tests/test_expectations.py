"""`expect` lines beside a fit: what holds, what does not, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import symopt
from symopt.expectations import evaluate_expectations

NIST = Path(__file__).parents[1] / "examples" / "nist"
# By the normal equations: slope 1.99, offset 1.02, sum of squares 0.099, 3 degrees of freedom.
LINE = """\
data x[n], y[n]
param slope init 1, w[1] init 0
f[i] = w[0] + slope * x[i]
steps[i] = f[i] - f[i-1] for i in range(1, n)
residual r[i] = y[i] - f[i]
report middle = w[0] + slope * 2
"""
POINTS = {"x": [0, 1, 2, 3, 4], "y": [1, 2.9, 5.1, 7.2, 8.8]}
SLOPE_ERROR = float(np.sqrt(0.099 / 3 / 10))  # sum of (x - mean)^2 is 10


def outcomes(lines: str, program: str = LINE, **data):
    problem = symopt.parse(program + lines, "line.sym").bind(data or POINTS)
    return evaluate_expectations(problem)


def one(line: str, program: str = LINE, **data):
    (outcome,) = outcomes(line + "\n", program, **data)
    return outcome


@pytest.mark.parametrize(
    "line",
    [
        "expect finite",
        "expect minimum == 0.099 within 1e-9",
        "expect minimum < 0.1",
        "expect slope == 1.99 within 1e-9",
        "expect slope >= 1.98",
        "expect w[0] == 1.02 within 1e-9",
        "expect w[n - 5] == 1.02 within 1e-9",
        "expect middle == 5 within 1e-9",
        "expect f[4] == 1.02 + 4*1.99 within 1e-9",
        "expect steps[1] == 1.99 within 1e-9",
        "expect steps[n-1] == 1.99 within 1e-9",
        f"expect stderr(slope) == {SLOPE_ERROR!r} within 1e-9",
        "expect stderr(middle) == sqrt(0.099 / 3 / 5) within 1e-9",
        "expect r[0] == -0.02 within 1e-9",
    ],
)
def test_what_holds(line: str) -> None:
    outcome = one(line)
    assert outcome.ok, str(outcome)


def test_a_tolerance_is_a_part_of_what_is_expected() -> None:
    assert one("expect slope == 2 within 0.006").ok  # 0.01 away, 0.012 allowed
    outcome = one("expect slope == 2 within 0.004")
    assert not outcome.ok
    assert outcome.found == pytest.approx(1.99, rel=1e-12)
    assert outcome.allowed == pytest.approx(0.008)


def test_of_zero_a_tolerance_is_a_distance() -> None:
    centred = "param a init 1\nresidual r = a - 1e-7\n"
    problem = symopt.parse(
        centred + "expect a == 0 within 1e-6\nexpect a == 0 within 1e-8\n"
    ).bind()
    assert [outcome.ok for outcome in evaluate_expectations(problem)] == [True, False]


def test_what_is_said() -> None:
    outcome = one("expect slope == 2 within 1e-6")
    text = str(outcome)
    assert text.startswith(
        "line.sym:7: expect slope == 2 within 1e-6: found 1.99, which is 0.01 away"
    )
    assert "2e-06 would be allowed" in text
    assert "The fit: lm, converged after" in text
    assert outcome.remedy == "if what was found is right, write `expect slope == 1.99 within 1e-06`"
    assert (
        str(one("expect minimum > 1"))
        .split(". The fit")[0]
        .endswith("found 0.099, which is not above 1")
    )


def test_a_difference_shows_in_the_digits() -> None:
    outcome = one("expect stderr(slope) == 0.0574456264654 within 1e-15")
    assert not outcome.ok
    assert "found 0.05744562646538" in outcome.message


def test_an_index_beyond_the_data() -> None:
    outcome = one("expect f[5] == 1 within 1e-6")
    assert not outcome.ok
    assert outcome.message == "index 5 of `f` is outside of its axis, which has 0 to 4"


def test_a_fit_that_does_not_converge_is_named() -> None:
    unbounded = "param a init 1\nminimize a\n"
    problem = symopt.parse(unbounded + "expect a == 1 within 1e-6\n").bind()
    (outcome,) = evaluate_expectations(problem)
    assert not outcome.ok
    assert outcome.fit is not None and "did NOT converge" in outcome.fit
    assert outcome.remedy is not None and "symopt fit" in outcome.remedy


def test_a_start_that_is_not_finite() -> None:
    text = "param a init -1\nminimize log(a)^2\nexpect finite\nexpect a == 1 within 1e-6\n"
    finite, fitted = evaluate_expectations(symopt.parse(text, "log.sym").bind())
    assert not finite.ok and "log of -1" in finite.message
    assert not fitted.ok and fitted.message.startswith("there is no fit:")


def test_a_parameter_without_a_start() -> None:
    text = "param a\nminimize (a - 1)^2\nexpect finite\nexpect a == 1 within 1e-6\n"
    finite, fitted = evaluate_expectations(symopt.parse(text).bind())
    assert not finite.ok and "a has no start" in finite.message
    assert not fitted.ok and fitted.found is None


def test_a_maximum_is_that_of_what_is_written() -> None:
    text = "param a init 0\nmaximize 3 - (a - 1)^2\nexpect maximum == 3 within 1e-9\n"
    (outcome,) = evaluate_expectations(symopt.parse(text).bind())
    assert outcome.ok, str(outcome)


def test_elements_of_a_packed_parameter() -> None:
    text = """\
param L[2, 2] as lower init 1
residual r[i, j] = L[i, j] - (10 * i + j if j <= i else 0) for i, j in 2
expect L[1, 0] == 10 within 1e-9
expect L[1, 1] == 11 within 1e-9
expect L[0, 1] == 0 within 0
"""
    assert all(outcome.ok for outcome in evaluate_expectations(symopt.parse(text).bind()))


@pytest.mark.parametrize("name", ["misra1a", "lanczos3"])
def test_the_certified_values_in_the_files_are_nists(name: str) -> None:
    """What the programs expect, read anew from the table of certified values."""
    (certified,) = (
        row
        for row in json.loads((NIST / "certified.json").read_text())
        if row["name"].lower() == name
    )
    model = symopt.load(NIST / f"{name}.sym")
    wanted = {
        (e.quantity.kind, e.quantity.name): e.value
        for e in model.expectations
        if hasattr(e, "quantity")
    }
    assert wanted.pop(("objective", "minimum")) == certified["rss"]
    assert wanted.pop(("stderr", "b1")) == certified["certified_sd"][0]
    values = dict(zip(model.params, certified["certified"], strict=True))
    assert wanted == {("value", name): value for name, value in values.items()}
    assert all(outcome.ok for outcome in evaluate_expectations(model.bind()))
