"""The two forms of every robust loss, their limits, and their finiteness at 0 and far out."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from symopt.primitives.record import Constant, Elementwise
from symopt.primitives.registry import PRIMITIVES
from symopt.primitives.robust import ROBUST_LOSSES, RobustLoss
from tests.support.expressions import evaluate

r, s, k = sympy.symbols("r s k", real=True)
LOSSES = [pytest.param(loss, id=name) for name, loss in ROBUST_LOSSES.items()]
RESIDUALS = np.array([-30.0, -2.0, -0.7, -1e-6, 0.0, 0.3, 1.2, 5.0, 400.0])
SCALES = np.array([0.3, 1.0, 2.5])


def _rho(loss: RobustLoss) -> tuple[Elementwise, ...]:
    return loss.rho, loss.rho1, loss.rho2


def test_the_losses_of_the_language() -> None:
    assert tuple(ROBUST_LOSSES) == ("huber", "soft_l1", "cauchy", "arctan_loss", "tukey")
    for name, loss in ROBUST_LOSSES.items():
        assert loss.name == name and PRIMITIVES[name] is loss.residual and loss.residual.public
        assert not any(form.public for form in _rho(loss))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("expand", [False, True], ids=["reference", "expanded"])
def test_the_loss_of_a_residual_is_half_of_rho(loss: RobustLoss, expand: bool) -> None:
    residuals, scales = np.meshgrid(RESIDUALS, SCALES)
    half = Constant(0.5) * loss.rho(s, k)
    np.testing.assert_allclose(
        evaluate(loss.residual(r, k), {r: residuals, k: scales}, expand=expand),
        evaluate(half, {s: residuals**2, k: scales}, expand=expand),
        rtol=1e-14,
    )


@pytest.mark.parametrize("name", ["huber", "soft_l1", "cauchy", "arctan_loss"])
def test_rho_agrees_with_least_squares_of_scipy(name: str) -> None:
    """SciPy's scaled rho: k^2 rho((r/k)^2), its definition of these losses."""
    from scipy.optimize._lsq.least_squares import construct_loss_function

    loss_name = {"arctan_loss": "arctan"}.get(name, name)
    for scale in SCALES:
        wanted = construct_loss_function(RESIDUALS.size, loss_name, scale)(RESIDUALS)
        for form, expected in zip(_rho(ROBUST_LOSSES[name]), wanted, strict=True):
            found = evaluate(form(s, k), {s: RESIDUALS**2, k: scale}, expand=True)
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12, err_msg=form.name)


@pytest.mark.parametrize("loss", LOSSES)
def test_rho_tends_to_the_sum_of_squares(loss: RobustLoss) -> None:
    values = {s: np.array([0.0, 1e-3, 1.0, 50.0]), k: 1e9}
    np.testing.assert_allclose(evaluate(loss.rho(s, k), values, expand=True), values[s], rtol=1e-14)
    np.testing.assert_allclose(evaluate(loss.rho1(s, k), values, expand=True), 1.0, rtol=1e-14)


@pytest.mark.parametrize("loss", LOSSES)
def test_everything_is_finite_at_zero_and_far_out(loss: RobustLoss) -> None:
    sums, scales = np.meshgrid([0.0, 5e-324, 1e-300, 1e-20, 1e20, 1e160, 1e300], SCALES)
    expressions = [form(s, k) for form in _rho(loss)]
    expressions += [e.diff(by) for e in expressions for by in (s, k)]
    expressions += [loss.rho(s, k).diff(a).diff(b) for a in (s, k) for b in (s, k)]
    for expression in expressions:
        for expand in (False, True):
            found = evaluate(expression, {s: sums, k: scales}, expand=expand)
            assert np.all(np.isfinite(found)), expression


@pytest.mark.parametrize("loss", LOSSES)
def test_residual_form_is_finite_at_zero_and_far_out(loss: RobustLoss) -> None:
    residuals, scales = np.meshgrid([0.0, -0.0, 1e-300, -1e-20, 1e10, -1e50], SCALES)
    first = [loss.residual(r, k).diff(by) for by in (r, k)]
    for expression in (loss.residual(r, k), *first, *(e.diff(r) for e in first)):
        for expand in (False, True):
            found = evaluate(expression, {r: residuals, k: scales}, expand=expand)
            assert np.all(np.isfinite(found)), expression


@pytest.mark.parametrize("loss", LOSSES)
def test_derivatives_of_rho_are_its_own_records(loss: RobustLoss) -> None:
    assert loss.rho(s, k).diff(s) == loss.rho1(s, k)
    assert loss.rho(s, k).diff(s, 2) == loss.rho2(s, k)


def test_textbook_values() -> None:
    huber = ROBUST_LOSSES["huber"].residual
    found = huber.reference(np.array([0.5, 1.0, -3.0]), 1.0)
    np.testing.assert_array_equal(found, [0.125, 0.5, 2.5])
    tukey = ROBUST_LOSSES["tukey"].residual
    np.testing.assert_allclose(tukey.reference(np.array([2.0, 9.0]), 2.0), 4 / 6, rtol=1e-15)
