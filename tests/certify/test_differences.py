"""Differences with an estimate of their error, and the choices of programs."""

from __future__ import annotations

import numpy as np
import pytest

import symopt
from symopt.certify.differences import branches, differentiate, same_branches


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (lambda t: np.exp(3 * t), 3.0),
        (lambda t: np.sin(40 * t) + 7.0, 40.0),
        (lambda t: 1 / (0.01 + t), -1e4),  # a pole nearby
        (lambda t: np.sqrt(1e-3 + t), 0.5 / np.sqrt(1e-3)),  # nan beyond
    ],
)
def test_the_error_is_within_its_estimate(function, slope):
    found = differentiate(lambda t: np.array([function(t)]), lambda h: True)
    assert not found.kink
    assert abs(found.value[0] - slope) <= 10 * found.error[0]
    assert found.error[0] < 1e-8 * abs(slope)


def test_steps_stay_on_one_side_of_a_kink():
    found = differentiate(lambda t: np.array([abs(t + 1e-3)]), lambda h: h < 1e-3)
    np.testing.assert_allclose(found.value, [1.0], rtol=1e-10)


def test_a_kink_at_the_point_has_no_slope():
    assert differentiate(lambda t: np.array([abs(t)]), lambda h: False).kink


@pytest.mark.parametrize(
    ("expression", "same", "other"),
    [
        ("abs(a)", 0.5, -0.5),
        ("max(a, 1)", 0.9, 1.1),
        ("a if a > 1 else 2*a", 0.9, 1.1),
        ("floor(a)", 0.9, 1.1),
        ("relu(a - 1)", 0.9, 1.1),
        ("huber(a, 1)", 0.9, 1.1),
        ("max(a*k for k in range(2))", 0.9, -1.1),
    ],
)
def test_choices_tell_the_sides_of_a_kink_apart(expression, same, other):
    problem = symopt.parse(f"param a init 1\nminimize {expression}").bind()
    program = problem.model.stages.task.program

    def at(a):
        return branches(program, problem._oracle.run(program, {"a": np.array(a)}))

    assert same_branches(at(same), at(same + 1e-3))
    assert not same_branches(at(same), at(other))


def test_smooth_programs_have_no_choices():
    problem = symopt.parse("param a init 1\nminimize exp(a)/a + tanh(a^2)").bind()
    program = problem.model.stages.task.program
    assert branches(program, problem._oracle.run(program, {"a": np.array(0.3)})) == ()
