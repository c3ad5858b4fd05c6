"""What is decided, and refused, before the first step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import Needs, minimize, objective
from symopt.optim.callables import CallableProblem
from symopt.optim.run import prepare


def bowl(**extra):
    return objective(lambda x: float(x @ x), grad=lambda x: 2 * x, **extra)


def ready(problem, method=None, x0=None, fixed=(), options: Mapping = {}, seed=None):
    return prepare(
        problem,
        method,
        x0,
        tol=None,
        max_iter=None,
        max_time=None,
        seed=seed,
        fixed=fixed,
        validation=None,
        stream=None,
        options=options,
        batch_size=None,
        scale=None,
    )


@dataclass(frozen=True)
class Declared:
    """A problem with starts of its own, open bounds and array names."""

    inner: CallableProblem
    x0: np.ndarray
    names: tuple[str, ...]
    open_bounds: tuple[np.ndarray, np.ndarray]

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def start(self, seed):
        return np.random.default_rng(seed).normal(size=len(self.x0))


def declared(x0, bounds=None, is_open=False):
    names = (*(f"w[{i},0]" for i in range(len(x0) - 1)), "b")
    flags = np.full(len(x0), is_open)
    return Declared(bowl(bounds=bounds).sized(len(x0)), np.array(x0), names, (flags, flags))


def test_declared_start_is_used():
    np.testing.assert_array_equal(ready(declared([1.0, 2.0])).working.x0, [1.0, 2.0])


def test_seed_draws_the_start():
    first, again, other = (ready(declared([0.0, 0.0]), seed=seed).working.x0 for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_given_start_wins_over_the_seed():
    run = ready(declared([0.0, 0.0]), x0=[3.0, 4.0], seed=1)
    np.testing.assert_array_equal(run.working.x0, [3.0, 4.0])


def test_missing_start_is_named():
    with pytest.raises(DataError, match="no start for b"):
        ready(declared([1.0, np.nan]))
    with pytest.raises(DataError, match="no start"):
        ready(bowl())


@pytest.mark.parametrize(
    ("x0", "words"),
    [
        ([1.0], "`x0` has length 1, expected 2"),
        ([1.0, np.nan], r"`x0` is nan for b"),
        (["one", "two"], "`x0` is not an array of numbers"),
    ],
)
def test_bad_starts(x0, words):
    with pytest.raises(DataError, match=words):
        ready(declared([0.0, 0.0]), x0=x0)


def test_start_outside_closed_bounds_is_projected_with_a_warning():
    problem = bowl(bounds=[(1, 2), (None, None)])
    with pytest.warns(UserWarning, match=r"outside the bounds; moved x\[0\] from 5 to 2"):
        run = ready(problem, x0=[5.0, 5.0])
    np.testing.assert_array_equal(run.working.x0, [2.0, 5.0])


def test_the_warning_points_at_the_caller():
    with pytest.warns(UserWarning, match="outside") as caught:
        minimize(bowl(bounds=[(1, 2)]), x0=[5.0])
    assert caught[0].filename == __file__


def test_start_on_an_open_bound_moves_inside():
    problem = declared([0.5, 0.5], bounds=[(0, 1), (0, None)], is_open=True)
    with pytest.warns(UserWarning, match="outside the bounds"):
        run = ready(problem, x0=[1.0, -3.0])
    assert 0.9 < run.working.x0[0] < 1
    assert 0 < run.working.x0[1] < 0.1


def test_start_on_a_closed_bound_stays_silent():
    np.testing.assert_array_equal(ready(bowl(bounds=[(1, 2)]), x0=[1.0]).working.x0, [1.0])


@pytest.mark.parametrize(
    ("fixed", "free"),
    [
        ((), [True, True, True]),
        ("w", [False, False, True]),
        ("w[1,0]", [True, False, True]),
        ("w[1, 0]", [True, False, True]),
        (["b", 0], [False, True, False]),
        ((np.int64(2),), [True, True, False]),
    ],
)
def test_fixed_names_and_indices(fixed, free):
    run = ready(declared([1.0, 2.0, 3.0]), fixed=fixed)
    np.testing.assert_array_equal(run.working.free, free)


def test_unknown_fixed_names_get_a_suggestion():
    problem = bowl(names=("amplitude", "rate"))
    with pytest.raises(DataError, match="did you mean `amplitude`") as caught:
        ready(problem, x0=[0.0, 0.0], fixed="amplitud")
    assert "amplitude, rate" in caught.value.diagnostics[0].notes[0]


@pytest.mark.parametrize("entry", [-1, 3])
def test_fixed_indices_out_of_range(entry):
    with pytest.raises(DataError, match="entries are 0 to 2"):
        ready(declared([1.0, 2.0, 3.0]), fixed=[entry])


def test_a_fixed_entry_may_be_outside_its_bounds():
    run = ready(bowl(bounds=[(1, 2), (1, 2)]), x0=[0.0, 1.5], fixed=0)
    np.testing.assert_array_equal(run.working.anchor, [0.0, 1.5])


def test_unknown_options_list_the_valid_ones():
    with pytest.raises(DataError, match="no option `dampling`") as caught:
        ready(bowl(), "bfgs", x0=[0.0], options={"dampling": 1})
    assert "scaled, search, decrease, curvature" in caught.value.diagnostics[0].notes[0]
    with pytest.raises(DataError, match="did you mean `curvature`"):
        ready(bowl(), "bfgs", x0=[0.0], options={"curvatur": 0.5})


def test_options_become_settings():
    run = ready(bowl(), "gd", x0=[0.0], options={"rate": 0.25})
    assert run.optimizer.rate == 0.25


def test_a_method_that_needs_more_is_refused():
    with pytest.raises(DataError, match="lm needs a Gauss-Newton matrix"):
        ready(bowl(), "lm", x0=[0.0])
    with pytest.raises(DataError, match="bfgs needs a gradient"):
        ready(objective(lambda x: float(x @ x)), "bfgs", x0=[0.0])
    with pytest.raises(DataError, match="hessian-hungry needs a Hessian"):
        ready(bowl(), _hungry(), x0=[0.0])


def _hungry():
    from dataclasses import make_dataclass

    made = make_dataclass("hessian-hungry", [], frozen=True)
    made.needs = Needs.GRADIENT | Needs.HESSIAN
    return made()


@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        ("adam", {"rate": "fast"}, "`rate` of adam must be a number, not 'fast'"),
        ("adam", {"rate": True}, "must be a number, not True"),
        ("adam", {"beta1": None}, "`beta1` of adam must be a number"),
        ("bfgs", {"scaled": 1}, "`scaled` of bfgs must be true or false, not 1"),
        ("svrg", {"batch_size": 2.5}, "`batch_size` of svrg must be a whole number, not 2.5"),
    ],
)
def test_options_of_another_kind(method, options, words):
    with pytest.raises(DataError, match=words):
        ready(bowl(), method, x0=[0.0], options=options)


def test_options_may_be_numbers_of_numpy():
    assert ready(bowl(), "adam", x0=[0.0], options={"rate": np.float64(0.1)}).optimizer.rate == 0.1
    assert ready(bowl(), "adam", x0=[0.0], options={"rate": None}).optimizer.rate is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tol": "small"}, "`tol` must be zero or a positive number, not 'small'"),
        ({"max_iter": -1}, "`max_iter` must be zero or a positive number, not -1"),
        ({"seed": -1}, "`seed` must be zero or a positive whole number, not -1"),
        ({"seed": 1.5}, "`seed` must be zero or a positive whole number, not 1.5"),
        ({"method": 3}, "a method is a name or an optimizer's settings, not 3"),
    ],
)
def test_settings_that_cannot_be(settings, words):
    with pytest.raises(DataError, match=words):
        minimize(bowl(), x0=[1.0, 2.0], **settings)


def test_a_function_is_not_yet_a_problem():
    with pytest.raises(DataError, match=r"wrap the function: minimize\(objective\(fun"):
        minimize(lambda x: float(x @ x), x0=[1.0, 2.0])


def test_no_options_as_scipy_has_it():
    assert minimize(bowl(), "bfgs", x0=[1.0, 2.0], options=None).success


@pytest.mark.parametrize("name", ["maxiter", "max_iter"])
def test_limits_are_not_among_the_options(name):
    with pytest.raises(DataError, match="`max_iter` is given beside the options"):
        minimize(bowl(), "bfgs", x0=[1.0, 2.0], options={name: 5})
