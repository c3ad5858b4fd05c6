"""numba, `njit(fastmath=True)`: the loops of the plain C files once more."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from tests.benchmarks.fast_core.work import NUMBA, Contender, Parts, Work

VERSION = numba.__version__
_jit = numba.njit(fastmath=True, error_model="numpy")


def contenders(work: Work) -> tuple[Contender, ...]:
    """The loop of one work."""
    return (Contender(NUMBA, NUMBA, *_MAKERS[work.key](work)),)


Ran = tuple[Callable[[], object], Callable[[], Parts]]


@_jit
def _normal_equations(x, y, b, jtj, jtr):
    a, g = np.zeros((6, 6)), np.zeros(6)
    j = np.empty(6)
    for i in range(len(x)):
        e1, e2, e3 = math.exp(-b[1] * x[i]), math.exp(-b[3] * x[i]), math.exp(-b[5] * x[i])
        r = b[0] * e1 + b[2] * e2 + b[4] * e3 - y[i]
        j[0], j[1] = e1, -b[0] * x[i] * e1
        j[2], j[3] = e2, -b[2] * x[i] * e2
        j[4], j[5] = e3, -b[4] * x[i] * e3
        for p in range(6):
            for q in range(p + 1):
                a[p, q] += j[p] * j[q]
            g[p] += j[p] * r
    for p in range(6):
        for q in range(p + 1):
            jtj[p, q] = jtj[q, p] = a[p, q]
        jtr[p] = g[p]


def _jtj(work: Work) -> Ran:
    of = work.inputs
    jtj, jtr = np.zeros((6, 6)), np.zeros(6)
    run = functools.partial(_normal_equations, of["x"], of["y"], of["b"], jtj, jtr)
    return run, lambda: (jtj, jtr)


@_jit
def _residuals_and_jacobian(x, y, b, r, jac):
    for i in range(len(x)):
        e1, e2, e3 = math.exp(-b[1] * x[i]), math.exp(-b[3] * x[i]), math.exp(-b[5] * x[i])
        r[i] = b[0] * e1 + b[2] * e2 + b[4] * e3 - y[i]
        jac[i, 0] = e1
        jac[i, 1] = -b[0] * x[i] * e1
        jac[i, 2] = e2
        jac[i, 3] = -b[2] * x[i] * e2
        jac[i, 4] = e3
        jac[i, 5] = -b[4] * x[i] * e3


def _jac(work: Work) -> Ran:
    of = work.inputs
    r, jac = np.zeros(work.n), np.zeros((work.n, 6))
    run = functools.partial(_residuals_and_jacobian, of["x"], of["y"], of["b"], r, jac)
    return run, lambda: (r, jac)


@_jit
def _rotate(w, x, y, by_w, by_x):
    """What `rotate` of bundle_adjustment.c does, for angles other than 0."""
    square = w[0] * w[0] + w[1] * w[1] + w[2] * w[2]
    if square > 0:
        angle = math.sqrt(square)
        c, s = math.cos(angle), math.sin(angle)
        a, b = s / angle, (1 - c) / square
        da, db = (c - a) / square, (a - 2 * b) / square
    else:
        c, a, b, da, db = 1.0, 1.0, 0.0, 0.0, 0.0
    dot = w[0] * x[0] + w[1] * x[1] + w[2] * x[2]
    slope = -a if square > 0 else 0.0
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        cross = w[j] * x[k] - w[k] * x[j]
        y[i] = c * x[i] + a * cross + b * dot * w[i]
        by_angle = slope * x[i] + da * cross + db * dot * w[i]
        for m in range(3):
            by_w[i, m] = by_angle * w[m] + b * x[m] * w[i]
            by_x[i, m] = b * w[i] * w[m]
        by_w[i, i] += b * dot
        by_x[i, i] += c
        by_w[i, j] += a * x[k]
        by_w[i, k] -= a * x[j]
        by_x[i, k] += a * w[j]
        by_x[i, j] -= a * w[k]


@_jit
def _residuals_and_blocks(cam, pt, observed, cameras, points, residual, jac):
    P, by_w, by_x = np.empty(3), np.empty((3, 3)), np.empty((3, 3))
    p = np.empty(2)
    for o in range(len(cam)):
        camera = cameras[cam[o]]
        _rotate(camera, points[pt[o]], P, by_w, by_x)
        for i in range(3):
            P[i] += camera[3 + i]
        f, k1, k2 = camera[6], camera[7], camera[8]
        p[0], p[1] = -P[0] / P[2], -P[1] / P[2]
        r2 = p[0] * p[0] + p[1] * p[1]
        bend, slope = 1 + k1 * r2 + k2 * r2 * r2, 2 * (k1 + 2 * k2 * r2)
        for i in range(2):
            residual[o, i] = f * bend * p[i] - observed[o, i]
            by_p0, by_p1 = f * slope * p[i] * p[0], f * slope * p[i] * p[1]
            if i == 0:
                by_p0 += f * bend
            else:
                by_p1 += f * bend
            b0, b1 = -by_p0 / P[2], -by_p1 / P[2]
            b2 = -(by_p0 * p[0] + by_p1 * p[1]) / P[2]
            for j in range(3):
                jac[o, i, j] = b0 * by_w[0, j] + b1 * by_w[1, j] + b2 * by_w[2, j]
                jac[o, i, 9 + j] = b0 * by_x[0, j] + b1 * by_x[1, j] + b2 * by_x[2, j]
            jac[o, i, 3], jac[o, i, 4], jac[o, i, 5] = b0, b1, b2
            jac[o, i, 6] = bend * p[i]
            jac[o, i, 7] = f * r2 * p[i]
            jac[o, i, 8] = f * r2 * r2 * p[i]


def _ba(work: Work) -> Ran:
    arguments = [work.inputs[name] for name in ("cam", "pt", "observed", "camera", "point")]
    r, jac = np.zeros((work.n, 2)), np.zeros((work.n, 2, 12))
    return functools.partial(_residuals_and_blocks, *arguments, r, jac), lambda: (r, jac)


@_jit
def _loss_and_gradient(X, label, W, b, by_w, by_b):
    n, d = X.shape
    k = len(b)
    z = np.empty(k)
    loss = 0.0
    by_w[:] = 0.0
    by_b[:] = 0.0
    for i in range(n):
        z[:] = b
        for j in range(d):
            for c in range(k):
                z[c] += X[i, j] * W[j, c]
        largest = z[0]
        for c in range(1, k):
            largest = max(largest, z[c])
        chosen, total = z[label[i]], 0.0
        for c in range(k):
            z[c] = math.exp(z[c] - largest)
            total += z[c]
        loss += largest + math.log(total) - chosen
        for c in range(k):
            z[c] /= total
        z[label[i]] -= 1
        for c in range(k):
            by_b[c] += z[c]
        for j in range(d):
            for c in range(k):
                by_w[j, c] += X[i, j] * z[c]
    by_w /= n
    by_b /= n
    return loss / n


def _softmax(work: Work) -> Ran:
    of = work.inputs
    by_w, by_b = np.zeros_like(of["W"]), np.zeros_like(of["b"])
    arguments = [of[name] for name in ("X", "label", "W", "b")]
    run = functools.partial(_loss_and_gradient, *arguments, by_w, by_b)
    return run, lambda: (run(), by_w, by_b)


@_jit
def _log_likelihood(x, alpha, mu, factor, by_alpha, by_mu, by_factor):
    n, d = x.shape
    k = len(alpha)
    diagonal, logdet = np.exp(factor[:, :d]), np.zeros(k)
    for c in range(k):
        logdet[c] = np.sum(factor[c, :d])
    centred, u, term, back = np.empty((k, d)), np.empty((k, d)), np.empty(k), np.empty(d)
    value = 0.0
    for i in range(n):
        largest, total = -math.inf, 0.0
        for c in range(k):
            square = 0.0
            for a in range(d):
                centred[c, a] = x[i, a] - mu[c, a]
                u[c, a] = diagonal[c, a] * centred[c, a]
            at = d
            for b in range(d):
                for a in range(b + 1, d):
                    u[c, a] += factor[c, at] * centred[c, b]
                    at += 1
            for a in range(d):
                square += u[c, a] * u[c, a]
            term[c] = alpha[c] + logdet[c] - 0.5 * square
            largest = max(largest, term[c])
        for c in range(k):
            term[c] = math.exp(term[c] - largest)
            total += term[c]
        value += largest + math.log(total)
        for c in range(k):
            weight = term[c] / total
            by_alpha[c] += weight
            for a in range(d):
                back[a] = diagonal[c, a] * u[c, a]
                by_factor[c, a] += weight * (1 - u[c, a] * diagonal[c, a] * centred[c, a])
            at = d
            for b in range(d):
                for a in range(b + 1, d):
                    back[b] += factor[c, at] * u[c, a]
                    by_factor[c, at] -= weight * u[c, a] * centred[c, b]
                    at += 1
            for a in range(d):
                by_mu[c, a] += weight * back[a]
    return value


@_jit
def _value_and_gradient(x, alpha, mu, factor, gamma, m, by_alpha, by_mu, by_factor):
    n, d = x.shape
    k = len(alpha)
    by_alpha[:] = 0.0
    by_mu[:] = 0.0
    by_factor[:] = 0.0
    value = _log_likelihood(x, alpha, mu, factor, by_alpha, by_mu, by_factor)
    largest = np.max(alpha)
    share = np.exp(alpha - largest)
    value -= n * (largest + math.log(np.sum(share))) + 0.5 * n * d * math.log(2 * math.pi)
    by_alpha -= n * share / np.sum(share)
    diagonal, lower = np.exp(factor[:, :d]), factor[:, d:]
    by_factor[:, :d] += gamma**2 * diagonal**2 - m
    by_factor[:, d:] += gamma**2 * lower
    value += 0.5 * gamma**2 * (np.sum(diagonal**2) + np.sum(lower**2)) - m * np.sum(factor[:, :d])
    freedom = d + m + 1
    loggamma = 0.25 * d * (d - 1) * math.log(math.pi)
    for j in range(d):
        loggamma += math.lgamma(0.5 * (freedom - j))
    return value - k * (freedom * d * (math.log(gamma) - 0.5 * math.log(2)) - loggamma)


def _gmm(work: Work) -> Ran:
    of = work.inputs
    gradient = tuple(np.zeros_like(of[name]) for name in ("alpha", "mu", "factor"))
    arguments: list[Any] = [of[name] for name in ("x", "alpha", "mu", "factor", "gamma", "m")]
    run = functools.partial(_value_and_gradient, *arguments, *gradient)
    return run, lambda: (run(), *gradient)


_MAKERS: dict[str, Callable[[Work], Ran]] = {
    "jtj": _jtj,
    "jac": _jac,
    "ba": _ba,
    "softmax": _softmax,
    "gmm": _gmm,
}
