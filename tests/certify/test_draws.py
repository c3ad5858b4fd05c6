"""Random data that fits programs."""

from __future__ import annotations

import numpy as np
import pytest

import symopt
from symopt.certify.draws import random_points, random_problem


def drawn(text, given=None, sizes=None):
    return random_problem(symopt.parse(text), given or {}, sizes or {}, np.random.default_rng(0))


def test_indices_are_in_range_and_offsets_rise():
    problem = drawn(
        "data v[n], off[m+1] in n+1, cam[n] in k\nparam a[k] init 1\n"
        "q[g] = sum(v[i]*a[cam[i]] for i in range(off[g], off[g+1]))\nminimize sumsq(q)"
    )
    offsets, dims = problem._bound.arrays["off"], problem.dims
    assert offsets[0] == 0
    assert offsets[-1] == dims["n"]
    assert (np.diff(offsets) >= 0).all()
    assert problem._bound.arrays["cam"].max() < dims["k"]


def test_data_is_drawn_until_all_is_finite():
    problem = drawn("data x[n]\nparam a init 1\nminimize sum(a*log(x[i])^2/sqrt(x[i]) for i)")
    assert (problem._bound.arrays["x"] > 0).all()
    assert problem.explain_nonfinite(problem.x0) is None


def test_sizes_follow_what_is_given():
    problem = drawn(
        "data X[n, d+1], y[n]\nparam w[d] init 0\n"
        "minimize sum((y[i] - sum(X[i, j]*w[j] for j in range(d)))^2 for i)",
        {"X": np.ones((7, 4))},
    )
    assert problem.dims == {"n": 7, "d": 3}


def test_defaults_and_sizes_are_kept():
    problem = drawn(
        "dim k = 9\ndata s = 2\nparam a[k, m] init 1\nminimize s*sumsq(a)", {}, {"m": 2}
    )
    assert problem.dims == {"k": 9, "m": 2}
    assert problem._bound.arrays["s"] == 2


def test_what_cannot_be_bound_is_refused():
    with pytest.raises(symopt.DataError, match="size"):
        drawn("data x[n]\nparam a init 1\nminimize a*sum(x)", {"x": np.ones(3)}, {"n": 5})


def test_points_are_inside_the_bounds():
    problem = symopt.parse(
        "param a > 0 init 0.1, b in [0, 1] init 0, c in (2, 3) init 2.5, d <= 0 init 0, e\n"
        "minimize log(a) + b + c + d + e"
    ).bind()
    points = list(random_points(problem, np.random.default_rng(0), 6))
    assert len(points) == 6
    start = problem.x0
    np.testing.assert_array_equal(points[0][:4], start[:4])
    for p in points:
        assert np.isfinite(p).all()
        assert p[0] > 0
        assert 0 <= p[1] <= 1
        assert 2 < p[2] < 3
        assert p[3] <= 0
