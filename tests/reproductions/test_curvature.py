"""Second derivatives and metrics do what the courses say."""

from __future__ import annotations

import numpy as np
import pytest

from examples.reproductions.curvature.experiment import LENGTHS, MANY, measure, report

# Newton's next point from x, of x⁴/4 − x²/2 and of 1 − exp(−x²/2).
FIRST_STEPS = {
    "well": lambda x: 2 * x**3 / (3 * x**2 - 1),
    "hole": lambda x: x**3 / (x**2 - 1),
}


@pytest.fixture(scope="module")
def found():
    return measure(quick=True)


def test_newton_contracts_by_one_minus_eta(found):
    for run in found.newton:
        expected = abs(1 - run.rate)
        # What rounding of a matrix of condition 1000 leaves.
        assert run.first == pytest.approx(expected, rel=1e-9, abs=1e-12)
        assert run.last == pytest.approx(expected**20, rel=1e-6, abs=1e-12)


def test_newton_goes_where_the_formula_says(found):
    for landing in found.landings:
        x, f = landing.start, FIRST_STEPS[landing.program]
        assert landing.first == pytest.approx(f(x), rel=1e-9)
        if landing.curvature > 0:
            continue
        # Uphill: towards the maximum, or away from the minimum.
        for _ in range(MANY):
            x = f(x)
        assert landing.plain == pytest.approx(x, rel=1e-6, abs=1e-9)
    by_start = {(landing.program, landing.start): landing for landing in found.landings}
    assert by_start["well", 0.2].plain == pytest.approx(0, abs=1e-9)
    assert abs(by_start["well", 0.5773].first) > 1000
    assert by_start["hole", 1.5].plain > 7  # it goes like √2k


def test_a_definite_matrix_and_a_search_lead_to_a_minimum(found):
    for landing in found.landings:
        minimum = {"well": 1, "hole": 0}[landing.program]
        assert abs(landing.modified) == pytest.approx(minimum, abs=1e-6)


def test_scaling_by_the_root_is_the_inverse_step(found):
    assert found.scaling < 1e-12


def test_conjugate_gradients_are_exact_in_as_many_steps_as_curvatures(found):
    for conjugate in found.conjugate:
        assert conjugate.before > 1e-3
        assert conjugate.exact < 1e-10
        assert conjugate.few < 1e-10
    # Before that all are the same.
    before = [conjugate.before for conjugate in found.conjugate]
    np.testing.assert_allclose(before, before[0], rtol=1e-6)


def test_formulas_differ_where_nothing_is_quadratic(found):
    assert len({conjugate.gradients for conjugate in found.conjugate}) > 1


def test_the_gauss_newton_matrix_is_the_curvature_of_a_log_loss(found):
    assert found.matrix < 1e-12
    lm, newton, bfgs, descent = found.losses
    assert lm.iterations <= 12
    assert abs(lm.iterations - newton.iterations) <= 2
    assert bfgs.iterations > 3 * lm.iterations
    assert descent.iterations > 3 * bfgs.iterations
    for loss in found.losses:
        assert loss.value == pytest.approx(newton.value, rel=1e-9)


def test_complex_steps_are_exact_to_rounding(found):
    assert found.complex_step < 1e-14
    assert min(found.differences) > 1e-9


def test_the_natural_gradient_does_not_mind_coordinates(found):
    longer, shorter = found.natural
    assert found.plain > 0.1
    # Alike to first order: what is left is in proportion to η.
    assert longer < 0.02
    assert shorter == pytest.approx(longer * LENGTHS[1] / LENGTHS[0], rel=0.1)


def test_the_metric_of_kl(found):
    np.testing.assert_allclose(found.metrics, 0, atol=1e-12)


def test_units_of_the_loss(found):
    plain, newton = found.units
    assert plain == pytest.approx(1 / np.log(2), rel=1e-12)
    assert newton == pytest.approx(1, rel=1e-9)


def test_the_report_is_whole(found):
    assert "nan" not in report(found)
