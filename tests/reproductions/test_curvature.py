"""Second derivatives and metrics do what the courses say."""

from __future__ import annotations

import numpy as np
import pytest

from examples.reproductions.curvature.experiment import measure, report


@pytest.fixture(scope="module")
def found():
    return measure(quick=True)


def test_newton_contracts_by_one_minus_eta(found):
    for run in found.newton:
        expected = abs(1 - run.rate)
        # What rounding of a matrix of condition 1000 leaves.
        assert run.first == pytest.approx(expected, rel=1e-9, abs=1e-12)
        assert run.last == pytest.approx(expected**20, rel=1e-6, abs=1e-12)


def test_newton_goes_to_a_maximum_where_the_hessian_is_indefinite(found):
    nearest = found.wells[0]
    assert nearest.curvature < 0
    assert nearest.plain == pytest.approx(0, abs=1e-6)
    for well in found.wells:
        assert abs(well.modified) == pytest.approx(1, abs=1e-6)


def test_scaling_by_the_root_is_the_inverse_step(found):
    assert found.scaling < 1e-12


def test_conjugate_gradients_are_exact_in_n_steps(found):
    for conjugate in found.conjugate:
        assert 0 < conjugate.steps <= found.unknowns
    assert len({conjugate.gradients for conjugate in found.conjugate}) > 1


def test_the_gauss_newton_matrix_is_the_curvature_of_a_log_loss(found):
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
    plain, natural = found.natural
    assert plain > 0.1
    assert natural < 0.01  # second order in η = 0.001


def test_the_metric_of_kl(found):
    np.testing.assert_allclose(found.metrics, 0, atol=1e-12)


def test_units_of_the_loss(found):
    plain, newton = found.units
    assert plain == pytest.approx(1 / np.log(2), rel=1e-12)
    assert newton == pytest.approx(1, rel=1e-9)


def test_the_report_is_whole(found):
    assert "nan" not in report(found)
