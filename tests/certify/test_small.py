"""Which data a small problem of a program has."""

from __future__ import annotations

import numpy as np
import pytest

import symopt
from symopt.certify.small import small_problem

LINE = "data x[n], y[n]\nparam w init 1\nminimize mean((y - w * x)^2)\n"
WALK = "data y[T]\nparam a init 1\nh[0] = y[0]\nh[t] = a * h[t-1] + y[t] for t in range(1, T)\n"
LAYER = "dim h = 32\ndata X[n, d]\nparam W[d, h] init 1\nminimize sumsq(X @ W)\n"


@pytest.fixture
def of(rng):
    def of(text, **given):
        problem, words = small_problem(symopt.parse(text), given, rng)
        return dict(problem.dims), words

    return of


def test_few_of_many_samples(of):
    given = {"x": np.arange(50.0), "y": np.arange(50.0)}
    assert of(LINE, **given) == ({"n": 8}, "8 samples of the data of the file")


def test_few_samples_as_they_are(of):
    assert of(LINE, x=np.ones(3), y=np.ones(3)) == ({"n": 3}, "the data of the file")


def test_random_data_where_something_is_missing(of):
    dims, words = of(LINE, x=np.ones(5))
    assert (dims, words) == ({"n": 5}, "random data")


def test_small_random_data_where_samples_need_each_other(of):
    dims, words = of(WALK + "minimize sumsq(h)\n", y=np.ones(100))
    assert dims["T"] <= 6 and words == "random data of small sizes"


def test_fewer_hidden_units(of):
    dims, _ = of(LAYER, X=np.ones((20, 3)))
    assert dims == {"h": 4, "n": 8, "d": 3}


def test_no_data(of):
    text = "param a init 1\nminimize (a - 2)^2\n"
    assert of(text) == ({}, "no data")


def test_sizes_that_nobody_gives_are_drawn(of):
    dims, words = of("dim n\nparam w[n] init 1\nminimize sumsq(w)\n")
    assert 3 <= dims["n"] <= 6 and words == "random data"
