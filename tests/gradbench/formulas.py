"""GradBench's functions in NumPy, from their definitions, for real and complex arguments.

`derivative` takes complex steps through them. Nothing here comes from symopt.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import multigammaln

Array = np.ndarray
Json = Any
STEP = 1e-40


def derivative(function: Callable[[Array], Any], x: Array) -> Array:
    """The derivative of a function of a flat array, its results as rows."""
    steps = 1j * STEP * np.eye(len(x))
    return np.array([np.imag(np.ravel(function(x + step))) / STEP for step in steps]).T


def log_of_sum(x: Array) -> Any:
    """log Σ exp x."""
    return np.log(np.sum(np.exp(x)))


def least_squares(x: Array, n: int) -> Any:
    """Half the squared distances of sign t to the polynomial with coefficients x."""
    t = -1 + 2 * np.arange(n) / (n - 1)
    return np.sum((np.sign(t) - np.polyval(x[::-1], t)) ** 2) / 2


def solution(x: Array, steps: int) -> Array:
    """Where y' = (x_0, x_1 y_0, x_2 y_1, ...) has come to at time 2, by Runge-Kutta steps."""

    def slope(y: Array) -> Array:
        return x * np.concatenate([[1], y[:-1]])

    h, y = 2 / steps, 0 * x
    for _ in range(steps):
        a = slope(y)
        b = slope(y + h / 2 * a)
        c = slope(y + h / 2 * b)
        y = y + h / 6 * (a + 2 * b + 2 * c + slope(y + h * c))
    return y


def determinant(a: Array) -> Any:
    """The sum over all permutations."""
    n = round(len(a) ** 0.5)
    matrix = a.reshape(n, n)
    total = 0.0
    for order in itertools.permutations(range(n)):
        sign = np.linalg.det(np.eye(n)[list(order)])
        total += round(sign) * np.prod(matrix[np.arange(n), order])
    return total


def distances(centroids: Array, points: Array) -> Any:
    """The squared distances of points to the nearest centroid."""
    squares = np.sum((points[:, None] - centroids.reshape(-1, points.shape[1])) ** 2, axis=2)
    return np.sum(squares[np.arange(len(points)), np.argmin(squares.real, axis=1)])


def to_means(points: Array, centroids: Array) -> Array:
    """The centroids less the means of the points nearest to them: Newton's step."""
    nearest = np.argmin(np.sum((points[:, None] - centroids) ** 2, axis=2), axis=1)
    return np.array([c - points[nearest == j].mean(axis=0) for j, c in enumerate(centroids)])


def posterior(unknown: Array, given: Json) -> Any:
    """The logarithm of the likelihood of a mixture times Wishart densities of its precisions."""
    d, k, m, gamma, x = (given[name] for name in ("d", "k", "m", "gamma", "x"))
    below = d * (d - 1) // 2
    alpha, mu, q, low = np.split(unknown, np.cumsum([k, k * d, k * d]))
    mu, q, low = mu.reshape(k, d), q.reshape(k, d), low.reshape(k, below)
    columns, rows = np.triu_indices(d, 1)
    likelihoods, prior, freedom = 0.0, 0.0, d + m + 1
    for j in range(k):
        root = np.diag(np.exp(q[j]))
        root[rows, columns] = low[j]
        precision = root.T @ root
        logdet = np.log(np.linalg.det(precision))
        off = np.array(x) - mu[j]
        density = np.exp(-np.sum(off @ precision * off, axis=1) / 2 + logdet / 2)
        weight = np.exp(alpha[j]) / np.sum(np.exp(alpha))
        likelihoods = likelihoods + weight * density / (2 * np.pi) ** (d / 2)
        prior += m / 2 * logdet - gamma**2 * np.trace(precision) / 2
    constant = freedom * d * (np.log(gamma) - np.log(2) / 2) - multigammaln(freedom / 2, d)
    return np.sum(np.log(likelihoods)) + prior + k * constant


def turned(w: Array, x: Array) -> Array:
    """x turned by the angle-axis vector w."""
    angle = np.sqrt(np.sum(w * w))
    axis = w / angle
    return (
        x * np.cos(angle)
        + np.cross(axis, x) * np.sin(angle)
        + axis * (axis @ x) * (1 - np.cos(angle))
    )


def reprojection(one: Array, feature: Array) -> Array:
    """The two residuals of an observation, and that of its weight, of camera, point and weight."""
    camera, point, w = one[:11], one[11:14], one[14]
    seen = turned(camera[:3], point - camera[3:6])
    at = seen[:2] / seen[2]
    square = np.sum(at * at)
    bend = 1 + camera[9] * square + camera[10] * square**2
    return np.append(w * (camera[6] * bend * at + camera[7:9] - feature), 1 - w * w)


def hand(unknown: Array, given: Json) -> Array:
    """The residuals of measured points on a hand, a row for each."""
    data, own = given["data"], 2 * len(given["us"])
    model, theta = data["model"], unknown[own:]
    skin = _skin(theta[6:].reshape(5, 4), model)
    if model["is_mirrored"]:
        skin = skin * [-1, 1, 1]
    skin = np.array([turned(theta[:3], x) + theta[3:6] for x in skin])
    where = np.array(data["correspondences"])
    if not own:
        return np.array(data["points"]) - skin[where]
    u = unknown[:own].reshape(-1, 2)
    corners = skin[np.array(model["triangles"])[where]]
    weights = np.column_stack([u, 1 - u.sum(axis=1)])
    return np.array(data["points"]) - np.einsum("ic,ica->ia", weights, corners)


def _skin(fingers: Array, model: Json) -> Array:
    """Where the vertices are before the hand as a whole moves."""
    frames: list[Array] = []
    skin = np.zeros((len(model["base_positions"]), 3), complex)
    for j, parent in enumerate(model["parents"]):
        finger, joint = divmod(j - 1, 4)
        angles = fingers[finger] if 0 <= finger < 5 else np.zeros(4)
        flexion = [0, angles[0], angles[2], angles[3]][joint]
        abduction = angles[1] if joint == 1 else 0
        local = np.array(model["base_relatives"][j]) @ _about(2, abduction) @ _about(0, flexion)
        frames.append(local if parent < 0 else frames[parent] @ local)
        moved = frames[j] @ np.array(model["inverse_base_absolutes"][j])
        at = np.array(model["base_positions"]) @ moved[:3].T
        skin = skin + np.array(model["weights"])[:, [j]] * at
    return skin if np.iscomplexobj(fingers) else skin.real


def _about(axis: int, angle: Any) -> Array:
    """The rotation about a coordinate axis, in homogeneous coordinates."""
    a, b = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(4, dtype=complex)
    matrix[a, a] = matrix[b, b] = np.cos(angle)
    matrix[b, a], matrix[a, b] = np.sin(angle), -np.sin(angle)
    return matrix


def prediction_loss(unknown: Array, given: Json) -> Any:
    """The loss of a network that predicts the next character, of its two kinds of parameters."""
    state, sequence = np.array(given["state"]), np.array(given["sequence"])
    layers, bits = len(state) // 2, state.shape[1]
    main, extra = np.split(unknown, [8 * layers * bits])
    main, extra = main.reshape(layers, 2, 4, bits), extra.reshape(3, bits)
    hidden, cell = list(state[0::2]), list(state[1::2])
    total = 0.0
    for now, after in itertools.pairwise(sequence):
        below = now * extra[0]
        for k in range(layers):
            inputs = np.array([below, hidden[k], below, hidden[k]])
            gates = main[k, 0] * inputs + main[k, 1]
            forget, ingate, outgate = 1 / (1 + np.exp(-gates[:3]))
            cell[k] = cell[k] * forget + ingate * np.tanh(gates[3])
            below = hidden[k] = outgate * np.tanh(cell[k])
        y = below * extra[1] + extra[2]
        total += np.sum(after * (y - np.log(2 + np.sum(np.exp(y)))))
    return -total / ((len(sequence) - 1) * bits)
