"""The shapes of what is defined by cases, and what their elements mean."""

import numpy as np
import pytest

import symopt

HEAD = "data x[T], W[k, k], m[n] in k\nparam a init 0.5, b[k] init 1\n"


def evaluated(text: str, name: str, **data: object) -> np.ndarray:
    given = {"x": np.arange(1.0, 5.0), "W": np.eye(3) * 2.0, "m": [0, 2, 1]} | data
    problem = symopt.parse(f"{HEAD}{text}minimize a\n").bind(given)
    return problem.eval(name, problem.x0)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("h[0] = a\nh[t] = h[t-1] for t in range(1, T)\n", "(T,)"),
        ("h[t] = h[t-1] for t in range(1, T + 1)\nh[0] = a\n", "(T + 1,)"),
        ("h[0, i] = 0\nh[t, i] = h[t-1, i] + b[i] for t in range(1, T)\n", "(T, k)"),
        ("h[0, i] = b[i]\nh[t, i] = h[t-1, i] * a for t in range(1, T)\n", "(T, k)"),
        ("h[0] = b\nh[t] = W @ h[t-1] for t in range(1, T)\n", "(T, k)"),
        ("h[t] = W @ h[t-1] for t in range(1, T)\nh[0] = b\n", "(T, k)"),
        ("h[0] = a\nh[t] = h[t-1] for t in range(1, T)\nh[T] = h[T-1]\n", "(T + 1,)"),
        ("h[5] = a\nh[t] = h[t-1] for t in range(6, 9)\n", "(9,)"),
        ("h[0] = a\nh[1] = a\n", "(2,)"),
        ("h[0, 0] = a\nh[0, j] = b[j] for j in range(1, k)\n", "(1, k)"),
    ],
)
def test_shapes(text: str, shape: str) -> None:
    model = symopt.parse(f"{HEAD}{text}minimize a\n")
    (found,) = {d.shape for d in model.stages.program.definitions if d.name == "h"}
    (origin,) = {d.origin for d in model.stages.program.definitions if d.name == "h"}
    whole = tuple(size + low for size, low in zip(found, origin, strict=True))
    assert symopt.typed.errors.shape_text(whole) == shape


def test_elements() -> None:
    assert evaluated("h[0] = 1\nh[t] = 2 * h[t-1] + x[t] for t in range(1, T)\n", "h").tolist() == [
        1,
        4,
        11,
        26,
    ]
    assert evaluated("h[3] = 1\nh[t] = 2 * h[t-1] for t in range(4, 6)\n", "h").tolist() == [
        1,
        2,
        4,
    ]
    assert evaluated("h[0] = b\nh[t] = W @ h[t-1] for t in range(1, 3)\n", "h").tolist() == [
        [1] * 3,
        [2] * 3,
        [4] * 3,
    ]
    # Accumulating inside a step: what one state gives to several of the next.
    assert evaluated(
        "h[0, i] = b[i]\ng[t, m[j]] += h[t-1, j] for t in range(1, 3), j in k\n"
        "h[t, i] = g[t, i] + 1 for t in range(1, 3)\n",
        "h",
        m=[0, 0, 2],
    ).tolist() == [[1, 1, 1], [3, 1, 2], [5, 1, 3]]


def test_no_steps_at_all() -> None:
    problem = symopt.parse(
        "data x[T]\nparam a init 2\n"
        "h[0] = a\nh[t] = h[t-1] * x[t] for t in range(1, T)\nminimize sum(h^2)\n"
    ).bind(x=[5.0])
    assert problem.value([3.0]) == 9
    assert problem.grad([3.0]).tolist() == [6]


def test_an_array_that_is_too_short_for_its_start_cases() -> None:
    model = symopt.parse(
        "data x[T]\nparam a init 2\nh[0] = a\nh[1] = a\n"
        "h[t] = h[t-1] + h[t-2] for t in range(2, T)\nminimize sum(h) + sum(x)\n"
    )
    assert model.bind(x=[0.0, 0.0]).value([1.0]) == 2
    with pytest.raises(symopt.SymoptError, match=r"index 1 of `h`.*size 1"):
        model.bind(x=[0.0])


def test_residuals_by_cases_are_one() -> None:
    problem = symopt.parse(
        "data y[n]\nparam a init 1\nresidual r[0] = a\n"
        "residual r[i] = a - y[i] for i in range(1, n)\n"
    ).bind(y=[9.0, 2.0, 3.0])
    assert problem.residuals([1.0]).tolist() == [1, -1, -2]
    assert problem.value([1.0]) == 6
