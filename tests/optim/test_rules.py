"""Update rules: the same numbers from arrays, symbols and long scalars; what all of them share."""

from __future__ import annotations

from dataclasses import dataclass

import mpmath
import numpy as np
import pytest
import sympy

from symopt.optim import minimize, objective
from symopt.optim.first_order.momentum import Momentum
from symopt.optim.first_order.nesterov import Nesterov
from symopt.optim.optimizer import Status
from symopt.optim.problem import Needs
from symopt.optim.rules import NUMPY, Maths
from symopt.optim.schedules import Inverse
from symopt.optim.stochastic.adagrad import AdaGrad
from symopt.optim.stochastic.adam import Adam
from symopt.optim.stochastic.adamw import AdamW
from symopt.optim.stochastic.alap import ALAP
from symopt.optim.stochastic.exponentiated_step import ExponentiatedStep
from symopt.optim.stochastic.rmsprop import RMSprop
from symopt.optim.stochastic.second_order_adam import SecondOrderAdam
from symopt.optim.stochastic.sgd import SGD
from symopt.optim.stochastic.smd import SMD

RULES = (
    Momentum(),
    Nesterov(),
    SGD(),
    SGD(momentum=0.5, weight_decay=0.1),
    SGD(momentum=0.5, nesterov=True),
    AdaGrad(initial=0.25),
    RMSprop(),
    RMSprop(centered=True, momentum=0.5),
    Adam(),
    Adam(amsgrad=True, weight_decay=0.1),
    AdamW(),
    ExponentiatedStep(meta_rate=0.5),
    ALAP(),
    SMD(meta_rate=0.5),
    SMD(meta_rate=0.5, decay=0.0),
    SecondOrderAdam(),
)
SYMPY = Maths(sympy.sqrt, sympy.exp, lambda a, b: sympy.Max(a, b, evaluate=False), sympy.sign)
MPMATH = Maths(mpmath.sqrt, mpmath.exp, lambda a, b: max(mpmath.mpf(a), b), mpmath.sign)
OPERATIONS = (sympy.Add, sympy.Mul, sympy.Pow, sympy.exp, sympy.Max, sympy.sign)


def named(rule):
    return repr(rule)


def updated(rule, maths, weights, gradient, memory, rate):
    """One update; the curvature is 3 for every weight."""
    if isinstance(rule, SMD | SecondOrderAdam):
        direction, memory = rule.direction(maths, gradient, memory, rate)
        return rule.update(maths, weights, gradient, memory, rate, 3 * direction)
    return rule.update(maths, weights, gradient, memory, rate)


def warm_memory(rule):
    """A memory that has seen some gradients, of three weights."""
    memory = rule.memory(np.array([1.0, -2.0, 0.5]), 0.1)
    for gradient in ([1.0, -2.0, 0.5], [0.5, 1.5, 0.5], [-0.25, 1.0, 0.75]):
        _, memory = updated(rule, NUMPY, np.ones(3), np.array(gradient), memory, 0.1)
    return memory


def entry(values, number):
    """The values of one weight; what is one number for all stays."""
    return [float(np.broadcast_to(value, 3)[number]) for value in values]


WEIGHTS, GRADIENT, RATE = np.array([0.7, -1.1, 0.3]), np.array([0.4, -0.3, 0.9]), 0.2


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_a_rule_can_be_traced(rule):
    """On symbols it leaves nothing but + − × ÷ √ exp max sign, with the numbers of NumPy."""
    memory = warm_memory(rule)
    w, g, rate = sympy.symbols("w g rate")
    kept = sympy.symbols(memory._fields)
    change, after = updated(rule, SYMPY, w, g, type(memory)(*kept), rate)
    traced = [sympy.sympify(result) for result in (change, *after)]
    for expression in traced:
        for node in sympy.preorder_traversal(expression):
            assert isinstance(node, OPERATIONS) or node.is_Atom, node
            if isinstance(node, sympy.Pow):
                assert abs(node.exp) in (sympy.Rational(1, 2), 1, 2), node
    expected_change, expected = updated(rule, NUMPY, WEIGHTS, GRADIENT, memory, RATE)
    compiled = sympy.lambdify([w, g, rate, *kept], traced, "numpy")
    for number in range(3):
        found = compiled(WEIGHTS[number], GRADIENT[number], RATE, *entry(memory, number))
        # SymPy orders sums and products in its own way.
        np.testing.assert_allclose(
            found, entry((expected_change, *expected), number), rtol=1e-13, atol=1e-15
        )


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_a_rule_runs_on_long_scalars(rule):
    memory = warm_memory(rule)
    change, after = updated(rule, NUMPY, WEIGHTS, GRADIENT, memory, RATE)
    with mpmath.workdps(40):
        for number in range(3):
            kept = type(memory)(*map(mpmath.mpf, entry(memory, number)))
            weight, gradient = mpmath.mpf(WEIGHTS[number]), mpmath.mpf(GRADIENT[number])
            exact = updated(rule, MPMATH, weight, gradient, kept, mpmath.mpf(RATE))
            found = [float(value) for value in (exact[0], *exact[1])]
            # A dozen roundings.
            np.testing.assert_allclose(
                entry((change, *after), number), found, rtol=4e-15, atol=1e-16
            )


@dataclass(frozen=True)
class Valley:
    """(1 − x)² + 5 (y − x²)², in other units of x and of the value."""

    size: float = 1.0
    worth: float = 1.0

    def value(self, p):
        x, y = p / self.size
        return float(self.worth * ((1 - x) ** 2 + 5 * (y - x**2) ** 2))

    def gradient(self, p):
        x, y = p / self.size
        slope = np.array([-2 * (1 - x) - 20 * x * (y - x**2), 10 * (y - x**2)])
        return self.worth / self.size * slope

    def product(self, p, v):
        x, y = p / self.size
        corner = -20 * x
        hessian = np.array([[2 - 20 * (y - x**2) + 40 * x**2, corner], [corner, 10.0]])
        return self.worth / self.size**2 * (hessian @ v)

    def objective(self, **more):
        return objective(self.value, grad=self.gradient, hvp=self.product, **more)


METHODS = tuple(
    type(rule)
    for rule in (
        *(Momentum(), Nesterov(), SGD(), AdaGrad(), RMSprop(), Adam(), AdamW()),
        *(ExponentiatedStep(), ALAP(), SMD(), SecondOrderAdam()),
    )
)


@pytest.mark.parametrize("method", METHODS)
def test_defaults_reach_the_minimum_of_a_valley(method):
    result = minimize(Valley().objective(), method(), x0=[-1.0, 1.0], max_iter=3000)
    np.testing.assert_allclose(result.x, 1.0, atol=1e-2)
    assert result.fun < 1e-2


@pytest.mark.parametrize("method", METHODS)
def test_defaults_do_not_know_the_units(method):
    """With powers of two for units all roundings are the same; ε and its like are relative."""
    size, worth, start = 2.0**20, 2.0**-30, np.array([-1.0, 1.0])
    plain, other = Valley().objective().sized(2), Valley(size, worth).objective().sized(2)
    state, scaled = method().init(plain, start), method().init(other, size * start)
    for _ in range(50):
        state, scaled = method().step(plain, state), method().step(other, scaled)
    np.testing.assert_array_equal(scaled.point.x, size * state.point.x)


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_steps_are_pure(rule):
    problem = Valley().objective().sized(2)
    start = np.array([-1.0, 1.0])
    state = rule.step(problem, rule.init(problem, start))
    before = [np.array(value) for value in (state.ahead, *state.memory)]
    first, second = rule.step(problem, state), rule.step(problem, state)
    np.testing.assert_array_equal(first.ahead, second.ahead)
    np.testing.assert_array_equal(start, [-1.0, 1.0])
    for value, kept in zip((state.ahead, *state.memory), before, strict=True):
        np.testing.assert_array_equal(value, kept)


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_a_step_evaluates_what_it_is_given_at_the_weights_ahead(rule):
    whole, batch = Valley().objective().sized(2), Valley(worth=0.5).objective().sized(2)
    state = rule.init(whole, np.array([-1.0, 1.0]))
    following = rule.step(batch, state)
    assert following.point.x is state.ahead
    assert following.point.value == batch.value(state.ahead)
    np.testing.assert_array_equal(following.point.gradient, batch.grad(state.ahead))


@pytest.mark.parametrize("method", METHODS)
def test_bounds_are_never_left(method):
    """The minimum within the bounds is at x = 0.5: there the valley's floor is cut off."""
    visited = []
    result = minimize(
        Valley().objective(bounds=[(-2, 0.5), (0.1, None)]),
        method(),
        x0=[-1.0, 1.0],
        max_iter=3000,
        callback=lambda x: visited.append(x),
    )
    visited = np.array(visited)
    assert (visited[:, 0] <= 0.5).all() and (visited[:, 1] >= 0.1).all()
    np.testing.assert_allclose(result.x, [0.5, 0.25], atol=1e-2)


@pytest.mark.parametrize("method", METHODS)
def test_a_start_at_the_minimum_is_the_end(method):
    result = minimize(Valley().objective(), method(), x0=[1.0, 1.0])
    assert (result.success, result.nit) == (True, 0)


@pytest.mark.parametrize("method", METHODS)
def test_one_unknown_and_no_slope_in_another(method):
    one = objective(
        lambda x: float((x[0] - 3) ** 2),
        grad=lambda x: 2 * (x - 3),
        hvp=lambda x, v: 2 * v,
    )
    np.testing.assert_allclose(minimize(one, method(), x0=[0.0], max_iter=3000).x, 3.0, atol=1e-2)
    flat = objective(
        lambda x: float((x[0] - 3) ** 2),
        grad=lambda x: np.array([2 * (x[0] - 3), 0.0]),
        hvp=lambda x, v: np.array([2 * v[0], 0.0]),
    )
    result = minimize(flat, method(), x0=[0.0, 7.0], max_iter=3000)
    # The decay of AdamW pulls at what nothing else holds.
    assert result.x[1] == 7 or method is AdamW
    np.testing.assert_allclose(result.x[0], 3.0, atol=1e-2)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_not_finite_ends_the_run_with_the_best_point(method):
    """Beyond x = 0 there is nothing but nan, and every method steps over."""
    result = minimize(
        objective(
            lambda x: float(x[0]) if x[0] > 0 else np.nan,
            grad=lambda x: np.ones(1),
            hvp=lambda x, v: 0 * v,
        ),
        method(rate=0.05),
        x0=[1.0],
    )
    assert (result.success, result.status) == (False, Status.NONFINITE.code)
    assert 0 < result.x[0] < 1


def test_a_rate_too_small_to_move_is_no_convergence():
    result = minimize(Valley().objective(), SGD(rate=1e-20), x0=[-1.0, 1.0])
    assert (result.success, result.status) == (False, Status.STALLED.code)
    assert result.nit <= 2


def test_steps_lost_in_rounding_are_convergence():
    """The value is 0 at the minimum, and gradients are never small relative to that."""
    result = minimize(Valley().objective(), Nesterov(), x0=[-1.0, 1.0])
    assert result.success, result.message
    np.testing.assert_allclose(result.x, 1.0, rtol=1e-12)


def test_other_samples_with_the_same_loss_do_not_end_a_run():
    """No slope in one batch: the weights stay, the next batch is another."""
    flat = objective(lambda x: 0.0, grad=lambda x: np.zeros(1)).sized(1)
    state = SGD(rate=0.1).init(flat, np.array([1.0]))
    for _ in range(3):
        state = SGD(rate=0.1).step(flat, state)
        assert state.outcome is None


def test_schedules_act_on_the_rate():
    slope = objective(lambda x: float(x[0]), grad=lambda x: np.ones(1)).sized(1)
    rule = SGD(rate=0.5, schedule=Inverse())
    state, visited = rule.init(slope, np.zeros(1)), []
    for _ in range(4):
        state = rule.step(slope, state)
        visited.append(state.point.x[0])
    np.testing.assert_allclose(np.diff([0, *visited]), -0.5 / np.arange(1, 5), rtol=1e-15)


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_needs_say_whether_products_are_taken(rule):
    assert (Needs.HVP in rule.needs) == isinstance(rule, SMD | SecondOrderAdam)
