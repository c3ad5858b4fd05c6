"""GradBench's functions in JAX, in float64 on one thread, compiled, for the inputs of its protocol.

Each is a function of the unknowns alone, and what is asked of it: a gradient, or a Jacobian in the
shape of its nonzero blocks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln, logsumexp

from tests.benchmarks.gradbench.elementary import sets_of_columns
from tests.benchmarks.gradbench.modules import Json

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_cpu_enable_async_dispatch", False)

VERSION = jax.__version__


@dataclass(frozen=True, slots=True)
class Peer:
    """Compiled functions of the point, and the point."""

    objective: Callable[[Any], Any]
    derivative: Callable[[Any], Any]
    point: Any


def peer(name: str, given: Json) -> Peer:
    """The functions of a module for an input."""
    objective, derivative, point = _MAKERS[name](given)
    return Peer(jax.jit(objective), jax.jit(derivative), jax.tree.map(jnp.asarray, point))


def _gradient(objective: Callable[[Any], Any], point: Any) -> tuple[Any, Any, Any]:
    return objective, jax.grad(objective), point


def _lse(given: Json) -> Any:
    def objective(x: Any) -> Any:
        a = jnp.max(x)
        return a + jnp.log(jnp.sum(jnp.exp(x - a)))

    return _gradient(objective, np.array(given["x"]))


def _llsq(given: Json) -> Any:
    n, x = given["n"], np.array(given["x"])
    t = np.linspace(-1, 1, n)
    powers = np.vander(t, len(x), increasing=True)
    return _gradient(lambda x: jnp.sum((np.sign(t) - powers @ x) ** 2) / 2, x)


def _ode(given: Json) -> Any:
    steps, x = given["s"], np.array(given["x"])
    h = 2 / steps

    def end(x: Any) -> Any:
        def slope(y: Any) -> Any:
            return x * jnp.concatenate([jnp.ones(1), y[:-1]])

        def step(y: Any, _: Any) -> Any:
            a = slope(y)
            b = slope(y + h / 2 * a)
            c = slope(y + h / 2 * b)
            return y + h / 6 * (a + 2 * b + 2 * c + slope(y + h * c)), None

        return jax.lax.scan(step, jnp.zeros_like(x), None, length=steps)[0]

    return end, jax.grad(lambda x: end(x)[-1]), x


def _det(given: Json) -> Any:
    n = given["ell"]
    sets = sets_of_columns(n)
    size = (sets["factor"] != 0).sum(axis=1)

    def objective(a: Any) -> Any:
        matrix, minors = a.reshape(n, n), jnp.ones(2**n)
        for columns in range(1, n + 1):
            at = np.flatnonzero(size == columns)
            below = minors[sets["without"][at]]
            found = jnp.sum(sets["factor"][at] * matrix[n - columns] * below, axis=1)
            minors = minors.at[at].set(found)
        return minors[-1]

    return _gradient(objective, np.array(given["A"]))


def _kmeans(given: Json) -> Any:
    points = np.array(given["points"])

    def objective(centroids: Any) -> Any:
        cross = points @ centroids.T
        squares = jnp.sum(points**2, axis=1)[:, None] - 2 * cross + jnp.sum(centroids**2, axis=1)
        return jnp.sum(jnp.min(squares, axis=1))

    def step(centroids: Any) -> Any:
        ones = jnp.ones_like(centroids)
        gradient, diagonal = jax.jvp(jax.grad(objective), (centroids,), (ones,))
        return gradient / diagonal

    return objective, step, np.array(given["centroids"])


def _gmm(given: Json) -> Any:
    x, d, k, n = np.array(given["x"]), given["d"], given["k"], given["n"]
    gamma, m = given["gamma"], given["m"]
    columns, rows = np.triu_indices(d, 1)
    freedom = d + m + 1
    loggamma = d * (d - 1) / 4 * np.log(np.pi) + sum(gammaln((freedom - j) / 2) for j in range(d))
    constant = k * (freedom * d * (np.log(gamma) - np.log(2) / 2) - loggamma)

    def objective(unknown: Any) -> Any:
        alpha, mu, q, low = unknown
        root = jnp.zeros((k, d, d)).at[:, np.arange(d), np.arange(d)].set(jnp.exp(q))
        root = root.at[:, rows, columns].set(low)
        off = x[None] - mu[:, None]
        squares = jnp.sum(jnp.einsum("kab,kib->kia", root, off) ** 2, axis=2)
        terms = (alpha + q.sum(axis=1))[:, None] - squares / 2
        likelihood = jnp.sum(logsumexp(terms, axis=0)) - n * (
            d / 2 * np.log(2 * np.pi) + logsumexp(alpha)
        )
        return likelihood + constant - gamma**2 / 2 * jnp.sum(root**2) + m * jnp.sum(q)

    return _gradient(objective, tuple(np.array(given[name]) for name in ("alpha", "mu", "q", "l")))


def _turned(w: Any, x: Any) -> Any:
    """x, of which coordinates are the last axis, turned by w; w is not 0."""
    angle = jnp.sqrt(w @ w)
    axis = w / angle
    along = (x @ axis)[..., None] * axis
    return x * jnp.cos(angle) + jnp.cross(axis, x) * jnp.sin(angle) + along * (1 - jnp.cos(angle))


def _ba(given: Json) -> Any:
    n, m, p = given["n"], given["m"], given["p"]
    o = np.arange(p)
    feature = np.tile(given["feat"], (p, 1))

    def one(unknown: Any, feature: Any) -> Any:
        camera, point, w = unknown[:11], unknown[11:14], unknown[14]
        seen = _turned(camera[:3], point - camera[3:6])
        at = seen[:2] / seen[2]
        square = at @ at
        bend = 1 + camera[9] * square + camera[10] * square**2
        return w * (camera[6] * bend * at + camera[7:9] - feature)

    def joined(unknown: Any) -> Any:
        camera, point, w = unknown
        return jnp.concatenate([camera[o % n], point[o % m], w[:, None]], axis=1)

    def objective(unknown: Any) -> Any:
        return jax.vmap(one)(joined(unknown), feature), 1 - unknown[2] ** 2

    def blocks(unknown: Any) -> Any:
        return jax.vmap(jax.jacfwd(one))(joined(unknown), feature), -2 * unknown[2]

    camera, point = np.tile(given["cam"], (n, 1)), np.tile(given["x"], (m, 1))
    return objective, blocks, (camera, point, np.full(p, given["w"]))


def _ht(given: Json) -> Any:
    data = given["data"]
    model = data["model"]
    relative, inverse = (np.array(model[f]) for f in ("base_relatives", "inverse_base_absolutes"))
    weights, base = np.array(model["weights"]), np.array(model["base_positions"])
    corners = np.array(model["triangles"])[np.array(data["correspondences"])]
    where, measured = np.array(data["correspondences"]), np.array(data["points"])
    joints = np.array([4 * k + j for k in range(5) for j in (2, 3, 4)])

    def hand(theta: Any) -> Any:
        fingers = theta[6:].reshape(5, 4)
        flexion = jnp.zeros(22).at[joints].set(fingers[:, np.array([0, 2, 3])].ravel())
        abduction = jnp.zeros(22).at[joints[::3]].set(fingers[:, 1])
        local = relative @ _about_z(abduction) @ _about_x(flexion)
        frames = [local[0]]
        for j in range(1, 22):
            frames.append(frames[model["parents"][j]] @ local[j])
        moved = (jnp.stack(frames) @ inverse)[:, :3]
        skin = jnp.einsum("vj,jac,vc->va", weights, moved, base)
        return _turned(theta[:3], skin) + theta[3:6]

    if not given["us"]:

        def simple(theta: Any) -> Any:
            return measured - hand(theta)[where]

        return simple, jax.jacfwd(simple), np.array(given["theta"])

    def complicated(unknown: Any) -> Any:
        u, theta = unknown
        at = hand(theta)[corners]
        return measured - jnp.einsum("ic,ica->ia", jnp.c_[u, 1 - u.sum(axis=1)], at)

    def columns(unknown: Any) -> Any:
        u, theta = unknown
        own = [
            jax.jvp(lambda u: complicated((u, theta)), (u,), (jnp.zeros_like(u).at[:, j].set(1),))[
                1
            ]
            for j in range(2)
        ]
        shared = jax.jacfwd(lambda theta: complicated((u, theta)))(theta)
        return jnp.concatenate([jnp.stack(own, axis=2), shared], axis=2)

    return complicated, columns, (np.array(given["us"]), np.array(given["theta"]))


def _about_z(angle: Any) -> Any:
    c, s, o, e = jnp.cos(angle), jnp.sin(angle), jnp.zeros(22), jnp.ones(22)
    return jnp.stack([c, -s, o, o, s, c, o, o, o, o, e, o, o, o, o, e], 1).reshape(-1, 4, 4)


def _about_x(angle: Any) -> Any:
    c, s, o, e = jnp.cos(angle), jnp.sin(angle), jnp.zeros(22), jnp.ones(22)
    return jnp.stack([e, o, o, o, o, c, -s, o, o, s, c, o, o, o, o, e], 1).reshape(-1, 4, 4)


def _lstm(given: Json) -> Any:
    state, sequence = np.array(given["state"]), np.array(given["sequence"])
    layers, bits = len(state) // 2, state.shape[1]
    count = (len(sequence) - 1) * bits

    def objective(unknown: Any) -> Any:
        main, extra = unknown

        def step(held: Any, pair: Any) -> Any:
            hidden, cell = held
            now, after = pair
            below = now * extra[0]
            next_hidden, next_cell = [], []
            for k in range(layers):
                inputs = jnp.stack([below, hidden[k], below, hidden[k]])
                gates = main[k, 0] * inputs + main[k, 1]
                forget, ingate, outgate = jax.nn.sigmoid(gates[:3])
                next_cell.append(cell[k] * forget + ingate * jnp.tanh(gates[3]))
                below = outgate * jnp.tanh(next_cell[-1])
                next_hidden.append(below)
            y = below * extra[1] + extra[2]
            gain = jnp.sum(after * (y - jnp.log(2 + jnp.sum(jnp.exp(y)))))
            return (jnp.stack(next_hidden), jnp.stack(next_cell)), gain

        start = (jnp.asarray(state[0::2]), jnp.asarray(state[1::2]))
        gains = jax.lax.scan(step, start, (sequence[:-1], sequence[1:]))[1]
        return -jnp.sum(gains) / count

    main = np.array(given["main_params"]).reshape(layers, 2, 4, bits)
    return _gradient(objective, (main, np.array(given["extra_params"])))


_MAKERS: Mapping[str, Callable[[Json], Any]] = {
    "lse": _lse,
    "llsq": _llsq,
    "ode": _ode,
    "det": _det,
    "kmeans": _kmeans,
    "gmm": _gmm,
    "ba": _ba,
    "ht": _ht,
    "lstm": _lstm,
}
