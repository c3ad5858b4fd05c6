"""Data meets declarations: what fits is taken as it is, what does not is named and explained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import symopt
from symopt.diagnostics import DataError, ShapeError, SymoptError

TEXT = """data X[n, d], y[n], s = 2.0, cam[n] in k
dim k
param w[d] init 0
minimize sum((X @ w * s - y)^2) + sum(cam * w[0])
"""
X = np.arange(12.0).reshape(4, 3)
Y = np.array([0.5, -1.0, 2.0, 3.0])
CAM = np.array([0, 1, 2, 0])
GOOD: dict[str, Any] = {"X": X, "y": Y, "cam": CAM, "k": 3}
VALUE = float(np.sum((2.0 * X.sum(axis=1) - Y) ** 2) + CAM.sum())


@pytest.fixture(scope="module")
def model() -> symopt.Model:
    return symopt.parse(TEXT, "test.sym")


def changed(**change: Any) -> dict[str, Any]:
    return {name: value for name, value in {**GOOD, **change}.items() if value is not None}


def messages(text: str, **given: Any) -> list[str]:
    with pytest.raises(SymoptError) as caught:
        symopt.parse(text).bind(given)
    return [diagnostic.message for diagnostic in caught.value.diagnostics]


def strided(array: np.ndarray) -> np.ndarray:
    return np.repeat(np.repeat(array, 2, axis=0), 2, axis=1)[::2, ::2]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"X": np.asfortranarray(X)},
        {"X": strided(X)},
        {"X": X.astype(np.float32)},
        {"X": X.astype(">f8")},
        {"X": X.tolist()},
        {"X": pd.DataFrame(X)},
        {"X": X.astype(np.int8)},
        {"X": X.astype(object)},
        {"y": np.repeat(Y, 3)[::3]},
        {"y": pd.Series(Y, index=[3, 2, 1, 0])},
        {"cam": [0, 1, 2, 0]},
        {"cam": [0.0, 1.0, 2.0, 0.0]},
        {"cam": CAM.astype(np.uint8)},
        {"s": np.array(2.0)},
        {"s": 2},
        {"k": np.int64(3)},
        {"k": 3.0},
        {"n": 4},
    ],
    ids=str,
)
def test_what_fits_is_taken(model: symopt.Model, change: dict[str, Any]) -> None:
    problem = model.bind(changed(**change))
    # Small integers and halves: every product and sum is exact.
    assert problem.value(np.ones(3)) == VALUE


def test_no_copy_of_what_is_right_already(model: symopt.Model) -> None:
    given = changed()
    problem = model.bind(given)
    before = problem.value(np.ones(3))
    given["y"][0] += 1.0
    assert problem.value(np.ones(3)) != before
    given["y"][0] -= 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": None}, "no data given for `y` with shape (n,)"),
        ({"z": 1}, "`z` is not data or a dim of this program"),
        ({"X": Y}, "`X` must have shape (n, d), found shape (4,)"),
        ({"y": 3.0}, "`y` must have shape (n,), found a number"),
        ({"s": Y}, "`s` must be a number, found shape (4,)"),
        ({"y": np.ones(5)}, "axis 0 of `y` must have size n = 4, found 5"),
        ({"y": ["a", "b", "c", "d"]}, "`y` must hold real numbers, found 'a' at y[0]"),
        ({"y": [1, 2, None, 4]}, "`y` must hold real numbers, found None at y[2]"),
        (
            {"y": [10**400, 0, 0, 0]},
            "`y` must hold real numbers, found 1" + 36 * "0" + "... at y[0]",
        ),
        ({"y": Y + 0j}, "`y` must hold real numbers, found complex numbers"),
        ({"y": {"a": 1}}, "`y` must hold real numbers, found {'a': 1}"),
        ({"X": [[1, 2, 3], [1]]}, "`X` must hold real numbers, found rows of different lengths"),
        ({"X": np.where(X == 5, np.nan, X)}, "X[1, 2] is nan"),
        ({"X": np.where(X > 4, np.nan, X)}, "X[1, 2] is nan, and 6 more"),
        ({"y": np.ma.masked_array(Y, mask=[0, 1, 0, 0])}, "y[1] is masked"),
        ({"y": pd.Series([1, 2, None, 3], dtype="Int64")}, "y[2] is nan"),
        ({"cam": [0, 1, 3, 0]}, "cam[2] is 3, but `cam` indexes k = 3 (0 to 2)"),
        ({"cam": [0, -1, 2, 0]}, "cam[1] is -1, but `cam` indexes k = 3 (0 to 2)"),
        (
            {"cam": [0, 1.5, 2, 0]},
            "`cam` holds indices, which are whole numbers, but cam[1] is 1.5",
        ),
        (
            {"cam": [0, np.inf, 2, 0]},
            "`cam` holds indices, which are whole numbers, but cam[1] is inf",
        ),
        ({"cam": ["0", "1", "2", "0"]}, "`cam` must hold real numbers, found '0' at cam[0]"),
        ({"k": None}, "the size of dim `k` is not known: no data that was given has it"),
        ({"k": -1}, "dim `k` must be a whole number, found -1"),
        ({"k": 2.5}, "dim `k` must be a whole number, found 2.5"),
    ],
    ids=str,
)
def test_what_does_not_fit(model: symopt.Model, change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        model.bind(changed(**change))
    assert message in [diagnostic.message for diagnostic in caught.value.diagnostics]


def test_all_mismatches_are_reported_together(model: symopt.Model) -> None:
    with pytest.raises(DataError) as caught:
        model.bind(changed(X=Y, y=None, z=3, cam=["a"] * 4))
    codes = [diagnostic.code for diagnostic in caught.value.diagnostics]
    assert codes == ["extra-data", "wrong-shape", "missing-data", "not-numeric"]


def test_a_conflict_says_where_the_size_comes_from(model: symopt.Model) -> None:
    with pytest.raises(DataError) as caught:
        model.bind(changed(y=np.ones(5)))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.notes == ("n = 4 from axis 0 of `X`",)
    with pytest.raises(DataError) as caught:
        model.bind(changed(n=7))
    assert {d.notes for d in caught.value.diagnostics} == {("n = 7 from the caller",)}


@pytest.mark.parametrize(
    ("entries", "help"),
    [
        ([1, 2, 3, 1], "indices count from 0: subtract 1 from all of them"),
        ([0, 2, 4, 1], "the greatest entry is 4: k would have to be 5"),
        ([-1, 2, 4, 1], None),
    ],
)
def test_help_for_indices(model: symopt.Model, entries: list[int], help: str | None) -> None:
    with pytest.raises(DataError) as caught:
        model.bind(changed(cam=entries))
    assert caught.value.diagnostics[0].help == help


def test_a_near_name_is_suggested(model: symopt.Model) -> None:
    with pytest.raises(DataError) as caught:
        model.bind(changed(Y=Y))
    assert caught.value.diagnostics[0].help == "did you mean `y`?"


# ── dims ─────────────────────────────────────────────────────────────────────────────────────


def test_dims_are_solved_for() -> None:
    text = "data x[2*n + 1], y[n + m]\nparam a init 1\nminimize a * sum(x) + sum(y)\n"
    problem = symopt.parse(text).bind(x=np.ones(7), y=np.ones(5))
    assert problem.dims == {"n": 3, "m": 2}


def test_a_size_that_no_dim_gives() -> None:
    text = "data x[2*n + 1]\nparam a init 1\nminimize a * sum(x)\n"
    assert messages(text, x=np.ones(4)) == ["axis 0 of `x` has size 4, but no n makes 2*n + 1 that"]


def test_two_dims_that_one_axis_leaves_open() -> None:
    text = "data x[n + m]\nparam a init 1\nminimize a * sum(x)\n"
    assert messages(text, x=np.ones(4)) == [
        "m and n cannot be told apart: axis 0 of `x` has size m + n = 4"
    ]
    problem = symopt.parse(text).bind(x=np.ones(4), n=1)
    assert problem.dims == {"n": 1, "m": 3}


def test_a_negative_dim() -> None:
    text = "data x[n + 2]\nparam a init 1\nminimize a * sum(x)\n"
    assert messages(text, x=np.ones(1)) == ["dim `n` cannot be negative, found -1"]


def test_defaults_of_dims_give_way_to_data_and_callers() -> None:
    text = "dim k = 10\ndata x[n]\nparam w[k] init 1\nminimize sum(w) + sum(x)\n"
    assert symopt.parse(text).bind(x=[1.0]).dims["k"] == 10
    assert symopt.parse(text).bind(x=[1.0], k=2).dims["k"] == 2
    other = symopt.parse("dim n = 10\ndata x[n]\nparam w init 1\nminimize w * sum(x)\n")
    assert other.bind(x=[1.0, 2.0]).dims["n"] == 2


# ── empty arrays, starts, reads ──────────────────────────────────────────────────────────────


def test_empty_arrays(model: symopt.Model) -> None:
    problem = model.bind(X=np.zeros((0, 3)), y=[], cam=[], k=3)
    assert problem.value(np.ones(3)) == 0.0
    assert problem.grad(np.ones(3)).tolist() == [0.0, 0.0, 0.0]
    means = symopt.parse("data x[n]\nparam w init 1\nminimize w + max(x) + mean(x)\n")
    assert np.isnan(means.bind(x=[]).value([1.0]))


@pytest.mark.parametrize("bounds", ["> 1", "in (0, 1)", ">= 2", "in [3, 4]", "< 0.5"])
def test_a_start_outside_its_bounds(bounds: str) -> None:
    text = f"data x[n]\nparam w {bounds} init 1\nminimize w * sum(x)\n"
    (message,) = messages(text, x=[1.0])
    assert message.startswith("the start of `w` is 1, ")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("x[j]", None),
        ("x[j + 1]", "index j + 1 of `x` is 3, but the axis has size 3"),
        ("x[3]", "index 3 of `x` leaves the axis, which has size 3"),
        ("sum(x[c[i]-1] for i)", "index c[i] - 1 of `x` is -1 at i = 1, but the axis has size 3"),
        ("sum(x[2*i] for i in 3)", "index 2*i of `x` is 4 at i = 2, but the axis has size 3"),
        ("sum(x[k*i] for i in 3)", "index k*i of `x` is 4 at i = 2, but the axis has size 3"),
        ("sum(x[i // k] + x[i % k] for i in n)", None),
    ],
)
def test_reads_out_of_range_are_found_when_data_is_bound(body: str, message: str | None) -> None:
    text = f"dim k = 2\ndata x[n], j in n, c[m] in n\nparam w init 1\nminimize w * ({body})\n"
    given = {"x": [1.0, 2.0, 3.0], "j": 2, "c": [1, 0]}
    if message is None:
        assert np.isfinite(symopt.parse(text).bind(given).value([1.0]))
    else:
        with pytest.raises(ShapeError) as caught:
            symopt.parse(text).bind(given)
        assert [d.message for d in caught.value.diagnostics] == [message]


def test_an_index_divided_by_a_dim_that_is_zero() -> None:
    text = "dim k = 0\ndata x[n]\nparam w init 1\nminimize w * sum(x[i // k] for i in n)\n"
    (message,) = messages(text, x=[1.0])
    assert "division by zero" in message


def test_a_frame_may_have_columns_that_are_not_needed() -> None:
    model = symopt.parse("data x[n], y[n]\nparam a init 1\nminimize sum((y - a * x)^2)\n")
    frame = pd.DataFrame({"x": [1, 2], "y": [2.0, 3.0], "name": ["u", "v"]})
    assert model.bind(frame).value([1.0]) == 2.0


def test_cases_that_meet_at_some_size() -> None:
    """Each element has one case; which sizes make two of one is seen at binding."""
    model = symopt.parse(
        "data x[n]\nparam a init 1\nd[0] = a\nd[i] = x[i] for i in range(1, n-1)\n"
        "d[n-1] = 2 * a\nminimize sum(d)\n"
    )
    assert model.bind(x=np.ones(2)).value(np.ones(1)) == 3.0
    with pytest.raises(symopt.ShapeError, match=r"two cases write d\[0\] for these sizes"):
        model.bind(x=np.ones(1))


def test_cases_beside_a_diagonal_are_apart() -> None:
    from symopt.statements.cases import uncertain_cases

    model = symopt.parse(
        "data x[n]\nparam a init 1\nL[j, j] = a for j in n\n"
        "L[i, j] = x[i] for j in n for i in range(j+1, n)\nminimize sum(L[i, i] for i in n)\n"
    )
    assert not list(uncertain_cases(model.stages.task.program))
