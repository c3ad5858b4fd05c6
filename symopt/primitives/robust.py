"""Robust losses, as functions of a residual r and as rho of a sum of squares s.

The two forms of one loss are related by loss(r, k) = rho(r^2, k) / 2; k > 0 is the scale, and
rho(s, k) -> s as k grows. Every rho is written without 0/0 and without a root of 0 under a
derivative, so that it and its derivatives are finite at s = 0 and for huge s. Partials by k
subtract nearly equal terms where s << k^2: their error is relative to those terms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import mpmath
import numpy as np
import sympy

from symopt.primitives.activation import relu
from symopt.primitives.complex_step import Values
from symopt.primitives.elementary import absolute, atan, clip, hypot, log1p, sqrt
from symopt.primitives.operators import ONE, ZERO, divide, less, less_equal, minimum, select
from symopt.primitives.operators import power_by_integer as raised
from symopt.primitives.record import Constant, Elementwise, Expand

_HALF, _TWO, _FOUR = Constant(0.5), Constant(2.0), Constant(4.0)


@dataclass(frozen=True, slots=True)
class RobustLoss:
    """One loss: of (residual, scale), and as rho, rho', rho'' of (sum of squares, scale)."""

    name: str
    residual: Elementwise
    rho: Elementwise
    rho1: Elementwise
    rho2: Elementwise


def _of_residual(
    name: str,
    summary: str,
    partials: Callable[..., tuple[sympy.Expr, sympy.Expr]],
    lower: Callable[..., sympy.Expr],
    reference: Callable[..., Any],
    precise: Callable[..., Any],
    analytic: bool = True,
    standard: Callable[..., Any] | None = None,
    kink: str = "",
) -> Elementwise:
    return Elementwise(
        name=name,
        arity=2,
        summary=summary,
        defined="k > 0",
        kink=kink,
        partials=partials,
        reference=reference,
        lower=Expand(lower),
        domain=((-20.0, 20.0), (0.2, 5.0)),
        precise=precise,
        standard=standard,
        analytic=analytic,
        arguments=("r", "k"),
    )


def _of_squares(
    name: str,
    partials: Callable[..., tuple[sympy.Expr, sympy.Expr]],
    lower: Callable[..., sympy.Expr],
    reference: Callable[..., Any],
    precise: Callable[..., Any],
    analytic: bool = True,
    standard: Callable[..., Any] | None = None,
) -> Elementwise:
    loss, form = name.rsplit("_", 1)
    derivative = {"rho": "rho", "rho1": "rho', the derivative", "rho2": "rho'', the curvature"}
    return Elementwise(
        name=name,
        arity=2,
        summary=f"{derivative[form]} of the {loss} loss, of a sum of squares and a scale",
        partials=partials,
        reference=reference,
        lower=Expand(lower),
        domain=((0.0, 400.0), (0.2, 5.0)),
        precise=precise,
        standard=standard,
        analytic=analytic,
        public=False,
        arguments=("s", "k"),
    )


def _squared(x: sympy.Expr) -> sympy.Expr:
    return raised(x, 2)


def _within(s: Values, k: Values) -> Values:
    """NumPy: where the sum of squares is inside the scale."""
    return np.real(s) <= np.real(k) ** 2


# ── huber: quadratic up to k, linear beyond ──────────────────────────────────────────────────


def _inside(s: sympy.Expr, k: sympy.Expr) -> sympy.Expr:
    return less_equal(s, _squared(k))


def _outer_root(s: sympy.Expr, k: sympy.Expr) -> sympy.Expr:
    return sqrt(select(_inside(s, k), ONE, s))  # used outside alone, never at s = 0


huber = _of_residual(
    name="huber",
    summary="r^2/2 where |r| <= k, else k*(|r| - k/2)",
    kink="|r| = k: second derivative 1",
    partials=lambda r, k: (clip(r, -k, k), relu(absolute(r) - k)),
    lower=lambda r, k: select(
        less_equal(absolute(r), k), _HALF * _squared(r), k * (absolute(r) - _HALF * k)
    ),
    reference=lambda r, k: np.where(
        np.abs(np.real(r)) <= np.real(k), 0.5 * r * r, k * (absolute.reference(r) - 0.5 * k)
    ),
    precise=lambda r, k: r * r / 2 if abs(r) <= k else k * (abs(r) - k / 2),
    analytic=False,
)

huber_rho = _of_squares(
    name="huber_rho",
    partials=lambda s, k: (
        huber_rho1(s, k),
        select(_inside(s, k), ZERO, _TWO * (_outer_root(s, k) - k)),
    ),
    lower=lambda s, k: select(_inside(s, k), s, k * (_TWO * sqrt(s) - k)),
    reference=lambda s, k: np.where(_within(s, k), s, k * (2 * sqrt.reference(s) - k)),
    precise=lambda s, k: s if s <= k * k else 2 * k * mpmath.sqrt(s) - k * k,
    analytic=False,
)

huber_rho1 = _of_squares(
    name="huber_rho1",
    partials=lambda s, k: (
        huber_rho2(s, k),
        select(_inside(s, k), ZERO, divide(ONE, _outer_root(s, k))),
    ),
    lower=lambda s, k: select(_inside(s, k), ONE, divide(k, sqrt(s))),
    reference=lambda s, k: np.where(_within(s, k), 1.0, k / sqrt.reference(s)),
    precise=lambda s, k: mpmath.mpf(1) if s <= k * k else k / mpmath.sqrt(s),
    analytic=False,
)


def _huber_rho2_partials(s: sympy.Expr, k: sympy.Expr) -> tuple[sympy.Expr, sympy.Expr]:
    root = _outer_root(s, k)
    by_s = Constant(0.75) * divide(divide(divide(k, root), s), s)
    return (
        select(_inside(s, k), ZERO, by_s),
        select(_inside(s, k), ZERO, Constant(-0.5) * divide(divide(ONE, root), s)),
    )


huber_rho2 = _of_squares(
    name="huber_rho2",
    partials=_huber_rho2_partials,
    lower=lambda s, k: select(_inside(s, k), ZERO, Constant(-0.5) * divide(divide(k, sqrt(s)), s)),
    reference=lambda s, k: np.where(_within(s, k), 0.0, -0.5 * k / sqrt.reference(s) / s),
    precise=lambda s, k: mpmath.mpf(0) if s <= k * k else -k / (2 * s * mpmath.sqrt(s)),
    analytic=False,
)

# ── soft_l1: 2 k^2 (sqrt(1 + s/k^2) - 1), written with q = sqrt(k^2 + s) ─────────────────────


def _rise(r: sympy.Expr, k: sympy.Expr) -> sympy.Expr:
    return r * divide(r, hypot(r, k) + k)  # hypot(r, k) - k without its cancellation


soft_l1 = _of_residual(
    name="soft_l1",
    summary="k^2 (sqrt(1 + (r/k)^2) - 1), a smooth huber",
    partials=lambda r, k: (
        r * divide(k, hypot(r, k)),
        _rise(r, k) * divide(_rise(r, k), hypot(r, k)),
    ),
    lower=lambda r, k: k * _rise(r, k),
    reference=lambda r, k: k * (r * (r / (hypot.reference(r, k) + k))),
    precise=lambda r, k: k * k * (mpmath.sqrt(1 + (r / k) ** 2) - 1),
    standard=lambda r, k: k**2 * (sympy.sqrt(1 + (r / k) ** 2) - 1),
)


def _q(s: sympy.Expr, k: sympy.Expr) -> sympy.Expr:
    return sqrt(_squared(k) + s)


def _soft_l1_rho_by_scale(s: sympy.Expr, k: sympy.Expr) -> sympy.Expr:
    rise = divide(s, _q(s, k) + k)
    return _TWO * rise * divide(rise, _q(s, k))


soft_l1_rho = _of_squares(
    name="soft_l1_rho",
    partials=lambda s, k: (soft_l1_rho1(s, k), _soft_l1_rho_by_scale(s, k)),
    lower=lambda s, k: _TWO * k * divide(s, _q(s, k) + k),
    reference=lambda s, k: 2 * k * (s / (sqrt.reference(k * k + s) + k)),
    precise=lambda s, k: 2 * k * k * (mpmath.sqrt(1 + s / k**2) - 1),
    standard=lambda s, k: 2 * k**2 * (sympy.sqrt(1 + s / k**2) - 1),
)

soft_l1_rho1 = _of_squares(
    name="soft_l1_rho1",
    partials=lambda s, k: (
        soft_l1_rho2(s, k),
        divide(divide(s, _squared(k) + s), _q(s, k)),
    ),
    lower=lambda s, k: divide(k, _q(s, k)),
    reference=lambda s, k: k / sqrt.reference(k * k + s),
    precise=lambda s, k: 1 / mpmath.sqrt(1 + s / k**2),
)


def _soft_l1_rho2_partials(s: sympy.Expr, k: sympy.Expr) -> tuple[sympy.Expr, sympy.Expr]:
    total = _squared(k) + s
    by_s = divide(divide(divide(k, _q(s, k)), total), total)
    by_k = divide(divide(divide(s - _TWO * _squared(k), total), total), _q(s, k))
    return Constant(0.75) * by_s, Constant(-0.5) * by_k


soft_l1_rho2 = _of_squares(
    name="soft_l1_rho2",
    partials=_soft_l1_rho2_partials,
    lower=lambda s, k: Constant(-0.5) * divide(divide(k, _q(s, k)), _squared(k) + s),
    reference=lambda s, k: -0.5 * k / sqrt.reference(k * k + s) / (k * k + s),
    precise=lambda s, k: -1 / (2 * k**2 * mpmath.sqrt(1 + s / k**2) ** 3),
)

# ── cauchy: k^2 log(1 + s/k^2) ───────────────────────────────────────────────────────────────


def _ratio(s: sympy.Expr, k: sympy.Expr) -> sympy.Expr:
    return divide(s, _squared(k))


def _squared_ratio(r: sympy.Expr, k: sympy.Expr) -> sympy.Expr:
    return _squared(divide(r, k))


def _cauchy_by_scale(t: sympy.Expr) -> sympy.Expr:
    return log1p(t) - divide(t, t + ONE)


cauchy = _of_residual(
    name="cauchy",
    summary="k^2/2 log(1 + (r/k)^2)",
    partials=lambda r, k: (
        divide(r, _squared_ratio(r, k) + ONE),
        k * _cauchy_by_scale(_squared_ratio(r, k)),
    ),
    lower=lambda r, k: _HALF * _squared(k) * log1p(_squared_ratio(r, k)),
    reference=lambda r, k: 0.5 * k * k * log1p.reference((r / k) * (r / k)),
    precise=lambda r, k: k * k * mpmath.log1p((r / k) ** 2) / 2,
)

cauchy_rho = _of_squares(
    name="cauchy_rho",
    partials=lambda s, k: (
        cauchy_rho1(s, k),
        _TWO * k * (log1p(_ratio(s, k)) - divide(s, _squared(k) + s)),
    ),
    lower=lambda s, k: _squared(k) * log1p(_ratio(s, k)),
    reference=lambda s, k: k * k * log1p.reference(s / (k * k)),
    precise=lambda s, k: k * k * mpmath.log1p(s / k**2),
)

cauchy_rho1 = _of_squares(
    name="cauchy_rho1",
    partials=lambda s, k: (
        cauchy_rho2(s, k),
        _TWO * k * divide(divide(s, _squared(k) + s), _squared(k) + s),
    ),
    lower=lambda s, k: divide(_squared(k), _squared(k) + s),
    reference=lambda s, k: k * k / (k * k + s),
    precise=lambda s, k: 1 / (1 + s / k**2),
)


def _cauchy_rho2_partials(s: sympy.Expr, k: sympy.Expr) -> tuple[sympy.Expr, sympy.Expr]:
    total = _squared(k) + s
    by_s = divide(divide(divide(_squared(k), total), total), total)
    by_k = divide(divide(divide(_squared(k) - s, total), total), total)
    return _TWO * by_s, _TWO * k * by_k


cauchy_rho2 = _of_squares(
    name="cauchy_rho2",
    partials=_cauchy_rho2_partials,
    lower=lambda s, k: -divide(divide(_squared(k), _squared(k) + s), _squared(k) + s),
    reference=lambda s, k: -(k * k) / (k * k + s) / (k * k + s),
    precise=lambda s, k: -1 / (k**2 * (1 + s / k**2) ** 2),
)

# ── arctan_loss: k^2 atan(s/k^2) ─────────────────────────────────────────────────────────────


def _bump(t: sympy.Expr) -> sympy.Expr:
    return divide(ONE, _squared(t) + ONE)  # the derivative of atan


arctan_loss = _of_residual(
    name="arctan_loss",
    summary="k^2/2 atan((r/k)^2)",
    partials=lambda r, k: (
        r * _bump(_squared_ratio(r, k)),
        k * (atan(_squared_ratio(r, k)) - _squared_ratio(r, k) * _bump(_squared_ratio(r, k))),
    ),
    lower=lambda r, k: _HALF * _squared(k) * atan(_squared_ratio(r, k)),
    reference=lambda r, k: 0.5 * k * k * atan.reference((r / k) * (r / k)),
    precise=lambda r, k: k * k * mpmath.atan((r / k) ** 2) / 2,
)

arctan_loss_rho = _of_squares(
    name="arctan_loss_rho",
    partials=lambda s, k: (
        arctan_loss_rho1(s, k),
        _TWO * k * (atan(_ratio(s, k)) - _ratio(s, k) * arctan_loss_rho1(s, k)),
    ),
    lower=lambda s, k: _squared(k) * atan(_ratio(s, k)),
    reference=lambda s, k: k * k * atan.reference(s / (k * k)),
    precise=lambda s, k: k * k * mpmath.atan(s / k**2),
)

arctan_loss_rho1 = _of_squares(
    name="arctan_loss_rho1",
    partials=lambda s, k: (
        arctan_loss_rho2(s, k),
        divide(_FOUR * _squared(_ratio(s, k) * arctan_loss_rho1(s, k)), k),
    ),
    lower=lambda s, k: _bump(_ratio(s, k)),
    reference=lambda s, k: 1 / (1 + (s / (k * k)) * (s / (k * k))),
    precise=lambda s, k: 1 / (1 + (s / k**2) ** 2),
)


def _arctan_rho2_partials(s: sympy.Expr, k: sympy.Expr) -> tuple[sympy.Expr, sympy.Expr]:
    # With b = rho', t^2 b is 1 - b, which keeps t^2 from overflowing.
    bump, ratio = arctan_loss_rho1(s, k), _ratio(s, k)
    by_s = divide((Constant(6.0) - Constant(8.0) * bump) * _squared(bump), raised(k, 4))
    by_k = Constant(8.0) * ratio * _squared(bump) * (_TWO * bump - ONE)
    return by_s, divide(by_k, raised(k, 3))


arctan_loss_rho2 = _of_squares(
    name="arctan_loss_rho2",
    partials=_arctan_rho2_partials,
    lower=lambda s, k: divide(
        Constant(-2.0) * _ratio(s, k) * _squared(_bump(_ratio(s, k))), _squared(k)
    ),
    reference=lambda s, k: -2 * (s / (k * k)) * arctan_loss_rho1.reference(s, k) ** 2 / (k * k),
    precise=lambda s, k: -2 * s / (k**4 * (1 + (s / k**2) ** 2) ** 2),
)

# ── tukey: k^2/3 (1 - (1 - t)^3) with t = min(s/k^2, 1), constant beyond k ───────────────────


def _held(ratio: sympy.Expr) -> sympy.Expr:
    return minimum(ratio, ONE)


def _tukey_shape(t: sympy.Expr) -> sympy.Expr:
    """(1 - (1 - t)^3) / 3, without its cancellation near 0."""
    return t * (ONE + t * (divide(t, Constant(3.0)) - ONE))


def _tukey_by_scale(t: sympy.Expr) -> sympy.Expr:
    return _squared(t) * (ONE - Constant(2 / 3) * t)


def _held_ratio(s: Values, k: Values) -> Values:
    return np.where(_within(s, k), s / (k * k), 1.0)


def _precise_held_ratio(s: Values, k: Values) -> Values:
    return min(s / k**2, mpmath.mpf(1))


def _tukey_value(t: Values) -> Values:
    return t * (1 + t * (t / 3 - 1))


tukey = _of_residual(
    name="tukey",
    summary="k^2/6 (1 - (1 - (r/k)^2)^3) where |r| <= k, else k^2/6: the biweight",
    kink="|r| = k: third derivative jumps",
    partials=lambda r, k: (
        r * _squared(ONE - _held(_squared_ratio(r, k))),
        k * _tukey_by_scale(_held(_squared_ratio(r, k))),
    ),
    lower=lambda r, k: _HALF * _squared(k) * _tukey_shape(_held(_squared_ratio(r, k))),
    reference=lambda r, k: 0.5 * k * k * _tukey_value(_held_ratio(r * r, k)),
    precise=lambda r, k: k * k * (1 - (1 - _precise_held_ratio(r * r, k)) ** 3) / 6,
    analytic=False,
)

tukey_rho = _of_squares(
    name="tukey_rho",
    partials=lambda s, k: (
        tukey_rho1(s, k),
        _TWO * k * _tukey_by_scale(_held(_ratio(s, k))),
    ),
    lower=lambda s, k: _squared(k) * _tukey_shape(_held(_ratio(s, k))),
    reference=lambda s, k: k * k * _tukey_value(_held_ratio(s, k)),
    precise=lambda s, k: k * k * (1 - (1 - _precise_held_ratio(s, k)) ** 3) / 3,
    analytic=False,
)

tukey_rho1 = _of_squares(
    name="tukey_rho1",
    partials=lambda s, k: (
        tukey_rho2(s, k),
        divide(_FOUR * _held(_ratio(s, k)) * (ONE - _held(_ratio(s, k))), k),
    ),
    lower=lambda s, k: _squared(ONE - _held(_ratio(s, k))),
    reference=lambda s, k: (1 - _held_ratio(s, k)) ** 2,
    precise=lambda s, k: (1 - _precise_held_ratio(s, k)) ** 2,
    analytic=False,
)


def _tukey_rho2_partials(s: sympy.Expr, k: sympy.Expr) -> tuple[sympy.Expr, sympy.Expr]:
    inside = less(s, _squared(k))
    by_k = divide(_FOUR * (ONE - _TWO * _held(_ratio(s, k))), raised(k, 3))
    return select(inside, divide(_TWO, raised(k, 4)), ZERO), select(inside, by_k, ZERO)


tukey_rho2 = _of_squares(
    name="tukey_rho2",
    partials=_tukey_rho2_partials,
    lower=lambda s, k: divide(Constant(-2.0) * (ONE - _held(_ratio(s, k))), _squared(k)),
    reference=lambda s, k: -2 * (1 - _held_ratio(s, k)) / (k * k),
    precise=lambda s, k: -2 * (1 - _precise_held_ratio(s, k)) / k**2,
    analytic=False,
)

ROBUST_LOSSES: Mapping[str, RobustLoss] = MappingProxyType(
    {
        loss.name: loss
        for loss in (
            RobustLoss("huber", huber, huber_rho, huber_rho1, huber_rho2),
            RobustLoss("soft_l1", soft_l1, soft_l1_rho, soft_l1_rho1, soft_l1_rho2),
            RobustLoss("cauchy", cauchy, cauchy_rho, cauchy_rho1, cauchy_rho2),
            RobustLoss(
                "arctan_loss", arctan_loss, arctan_loss_rho, arctan_loss_rho1, arctan_loss_rho2
            ),
            RobustLoss("tukey", tukey, tukey_rho, tukey_rho1, tukey_rho2),
        )
    }
)
