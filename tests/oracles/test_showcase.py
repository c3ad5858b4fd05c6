"""The larger examples against what their fields would compare them with: NumPy, closed formulas.

Networks are written out in NumPy with their gradients by hand; likelihoods are compared with joint
densities, in which there is neither a factor nor a filter.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special
from scipy.linalg import toeplitz

import symopt
from symopt.problem import Problem

EXAMPLES = Path(__file__).parents[2] / "examples"
STEP = 1e-40  # of complex steps
# Sums of some thousands of terms in another order; measured: 1e-13 at most.
CLOSE = 1e-11


def table(name: str) -> np.ndarray:
    return np.loadtxt(EXAMPLES / "data" / f"{name}.csv", delimiter=",", skiprows=1)


def digits(start: int = 0, stop: int | None = None, by: int = 1) -> dict[str, np.ndarray]:
    rows = table("digits")[start:stop:by]
    return {"X": rows[:, :64], "digit": rows[:, 64].astype(int)}


def off(found: np.ndarray, wanted: np.ndarray) -> float:
    """The greatest difference, relative to the greatest number."""
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def by_complex_step(function: Any, p: np.ndarray, columns: Any = None) -> np.ndarray:
    """The derivative of a NumPy function by some of its arguments."""
    units = np.eye(len(p))[slice(None) if columns is None else columns]
    return np.array([np.imag(function(p + 1j * STEP * unit)) / STEP for unit in units])


def softmax_loss(logits: np.ndarray, label: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean cross-entropy, and its derivative by the logits."""
    rows = np.arange(len(label))
    shares = special.softmax(logits, axis=1)
    slopes = shares.copy()
    slopes[rows, label] -= 1
    return -np.mean(np.log(shares[rows, label])), slopes / len(label)


def negative_log_density(y: np.ndarray, covariance: np.ndarray) -> float:
    """That of a Gaussian of mean 0."""
    _, size = np.linalg.slogdet(2 * np.pi * covariance)
    return (size + y @ np.linalg.solve(covariance, y)) / 2


# ── a convolutional network ──────────────────────────────────────────────────────────────────


def convolution(X, digit, p: dict[str, np.ndarray], decay: float) -> tuple[float, dict]:
    """Loss and gradient of examples/convolution, with patches of the image as columns."""
    n, f = len(X), len(p["b"])
    padded = np.pad(X.reshape(n, 8, 8) / 16, ((0, 0), (1, 1), (1, 1)))
    patches = np.array(
        [[padded[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] for j in range(4)] for i in range(4)]
    )
    columns = patches.transpose(2, 0, 1, 3, 4).reshape(n * 16, 9)  # (n i j, u v)
    before = (columns @ p["W"].reshape(f, 9).T + p["b"]).reshape(n, 2, 2, 2, 2, f)  # i u j v
    after = np.maximum(before, 0).transpose(0, 5, 1, 3, 2, 4).reshape(n, f, 2, 2, 4)
    winner = after.argmax(axis=-1)
    pooled = after.max(axis=-1)
    flat = p["V"].reshape(4 * f, 10)
    loss, slopes = softmax_loss(pooled.reshape(n, 4 * f) @ flat + p["c"], digit)
    back = (slopes @ flat.T).reshape(n, f, 2, 2)
    spread = np.where(np.arange(4) == winner[..., None], back[..., None], 0) * (after > 0)
    spread = spread.reshape(n, f, 2, 2, 2, 2).transpose(0, 2, 4, 3, 5, 1).reshape(n * 16, f)
    gradient = {
        "W": (spread.T @ columns).reshape(f, 3, 3) + decay * p["W"],
        "b": spread.sum(axis=0),
        "V": (pooled.reshape(n, 4 * f).T @ slopes).reshape(f, 2, 2, 10) + decay * p["V"],
        "c": slopes.sum(axis=0),
    }
    return loss + decay / 2 * (np.sum(p["W"] ** 2) + np.sum(p["V"] ** 2)), gradient


@pytest.mark.parametrize("maps", [3, 16])
def test_a_convolutional_network(maps: int) -> None:
    data = digits()
    problem = symopt.load(EXAMPLES / "convolution" / "digits.sym").bind(data, f=maps)
    p = problem.x0 + 0.1 * np.random.default_rng(1).normal(size=problem.n)
    loss, gradient = convolution(**data, p=problem.unpack(p), decay=1e-4)
    value, found = problem.value_and_grad(p)
    assert value == pytest.approx(loss, rel=CLOSE)
    assert off(found, problem.pack(gradient)) < CLOSE


def descend(problem: Problem, p: np.ndarray, epochs: int, rate: float) -> np.ndarray:
    """Momentum along batches of 32."""
    rng, step, n = np.random.default_rng(2), np.zeros_like(p), problem.dims["n"]
    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(n), n // 32):
            step = 0.9 * step - rate * problem.batch(np.sort(rows)).grad(p)
            p = p + step
    return p


LEARNT = [("convolution", 5, 0.9), ("lstm", 8, 0.85)]


@pytest.mark.parametrize(("example", "epochs", "least"), LEARNT)
def test_a_few_epochs_recognise_digits_never_seen(example, epochs, least) -> None:
    model = symopt.load(EXAMPLES / example / "digits.sym")
    problem = model.bind(digits(0, 1400))
    p = descend(problem, problem.x0, epochs, rate=0.1)
    assert problem.eval("accuracy", p) > least
    # Other people wrote these: harder than a random part would be. One digit in ten is chance.
    assert problem.rebind(**digits(1400)).eval("accuracy", p) > least - 0.1


# ── B σ(A y + b) ─────────────────────────────────────────────────────────────────────────────


class OneLayer:
    """The formulas for one layer, for any number of samples, at a point and along a direction."""

    def __init__(self, y: np.ndarray, wanted: np.ndarray, p: dict, ridge: float) -> None:
        self.y, self.p, self.ridge = y, p, ridge
        self.s = special.expit(y @ p["A"].T + p["b"])
        self.first = self.s * (1 - self.s)
        self.r = self.s @ p["B"].T - wanted
        self.back = self.r @ p["B"]
        self.u = self.back * self.first

    def small(self, gradient: dict, at: dict) -> dict:
        """With the derivative of the ridge."""
        return {name: part + 2 * self.ridge**2 * at[name] for name, part in gradient.items()}

    def gradient(self) -> dict:
        u = self.u
        parts = {"A": 2 * u.T @ self.y, "b": 2 * u.sum(axis=0), "B": 2 * self.r.T @ self.s}
        return self.small(parts, self.p)

    def by_samples(self) -> np.ndarray:
        return 2 * self.u @ self.p["A"]

    def along(self, v: dict) -> None:
        """Changes of what is inside along a direction of the parameters."""
        self.dz = self.y @ v["A"].T + v["b"]
        self.ds = self.first * self.dz
        self.dr = self.ds @ self.p["B"].T + self.s @ v["B"].T

    def gauss_newton_product(self, v: dict) -> dict:
        self.along(v)
        w = (self.dr @ self.p["B"]) * self.first
        parts = {"A": 2 * w.T @ self.y, "b": 2 * w.sum(axis=0), "B": 2 * self.dr.T @ self.s}
        return self.small(parts, v)

    def hessian_product(self, v: dict) -> dict:
        self.along(v)
        second = self.first * (1 - 2 * self.s)
        du = (self.dr @ self.p["B"] + self.r @ v["B"]) * self.first + self.back * second * self.dz
        by_B = 2 * (self.dr.T @ self.s + self.r.T @ self.ds)
        parts = {"A": 2 * du.T @ self.y, "b": 2 * du.sum(axis=0), "B": by_B}
        return self.small(parts, v)

    def hessian_product_by_samples(self, v: np.ndarray) -> np.ndarray:
        A, B = self.p["A"], self.p["B"]
        dz = v @ A.T
        second = self.first * (1 - 2 * self.s)
        du = ((self.first * dz) @ B.T @ B) * self.first + self.back * second * dz
        return 2 * du @ A


@pytest.mark.parametrize("rows", [slice(None), slice(60, 61)], ids=["batch", "one"])
def test_one_layer_has_the_closed_tensor_formulas(rows: slice) -> None:
    rng = np.random.default_rng(4)
    iris = table("iris")[rows]
    y, species = iris[:, :4], iris[:, 4].astype(int)
    problem = symopt.load(EXAMPLES / "one-layer" / "iris.sym").bind(y=y, species=species)
    p, v, moved = rng.normal(size=problem.n), rng.normal(size=problem.n), rng.normal(size=y.shape)
    parts, direction = problem.unpack(p), problem.unpack(v)
    closed = OneLayer(y, np.eye(3)[species], parts, ridge=0.1)
    gradient = closed.gradient()
    assert off(problem.grad(p), problem.pack(gradient)) < CLOSE
    for name in ("A", "b", "B"):
        assert off(problem.grad(p, wrt=name), gradient[name].ravel()) < CLOSE
    assert off(problem.grad(p, wrt="y"), closed.by_samples().ravel()) < CLOSE
    assert off(problem.gnvp(p, v), problem.pack(closed.gauss_newton_product(direction))) < CLOSE
    assert off(problem.hvp(p, v), problem.pack(closed.hessian_product(direction))) < CLOSE
    by_samples = problem.hvp(p, moved.ravel(), wrt="y")
    assert off(by_samples, closed.hessian_product_by_samples(moved).ravel()) < CLOSE
    jacobian = problem.jac(p, of="f", wrt="y").reshape(len(y), 3, len(y), 4)
    own = np.einsum("cj,ij,ja->ica", parts["B"], closed.first, parts["A"])
    wanted = np.einsum("ica,ik->icka", own, np.eye(len(y)))
    assert off(jacobian, wanted) < CLOSE


# ── an LSTM ──────────────────────────────────────────────────────────────────────────────────


def lstm(X, digit, p: dict[str, np.ndarray], steps: int, decay: float) -> complex:
    """The loss of examples/lstm, for real or complex parameters."""
    pixels = (X / 16).reshape(len(X), steps, -1)
    h = p["W"].shape[1]
    shown = memory = np.zeros((len(X), h))
    for t in range(steps):
        inside = np.einsum("gja,sa->gsj", p["W"], pixels[:, t])
        inside = inside + np.einsum("gji,si->gsj", p["U"], shown) + p["b"][:, None]
        enter, keep, _, leave = 1 / (1 + np.exp(-inside))
        memory = keep * memory + enter * np.tanh(inside[2])
        shown = leave * np.tanh(memory)
    logits = shown @ p["V"] + p["c"]
    losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(X)), digit]
    return losses.mean() + decay / 2 * sum(np.sum(p[name] ** 2) for name in "WUV")


@pytest.mark.parametrize("steps", [1, 8, 16])
def test_an_lstm(steps: int) -> None:
    data = digits(by=40)
    model = symopt.load(EXAMPLES / "lstm" / "digits.sym")
    problem = model.bind(data, T=steps, w=64 // steps, h=5)
    rng = np.random.default_rng(6)
    p = problem.x0 + 0.3 * rng.normal(size=problem.n)
    slices = problem.unpack(np.arange(problem.n))

    def loss(q: np.ndarray) -> complex:
        parts = {name: q[place.astype(int)] for name, place in slices.items()}
        return lstm(**data, p=parts, steps=steps, decay=1e-4)

    columns = rng.permutation(problem.n)[:60]
    value, gradient = problem.value_and_grad(p)
    assert value == pytest.approx(loss(p), rel=CLOSE)
    assert off(gradient[columns], by_complex_step(loss, p, columns)) < CLOSE


# ── a Gaussian process ───────────────────────────────────────────────────────────────────────


def covariance(year: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """K and its derivatives by the amplitude, the length and the noise."""
    amplitude, length, noise = p
    apart = (year[:, None] - year) ** 2
    near = np.exp(-apart / (2 * length**2))
    unit = np.eye(len(year))
    slopes = [2 * amplitude * near, amplitude**2 * near * apart / length**3, 2 * noise * unit]
    return amplitude**2 * near + noise**2 * unit, slopes


def trace_formula(year: np.ndarray, y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """trace((K⁻¹ - a aᵀ) dK) / 2 with a = K⁻¹ y, for real or complex hyperparameters."""
    K, slopes = covariance(year, p)
    inverse = np.linalg.inv(K)
    a = inverse @ y
    return np.array([np.sum((inverse - np.outer(a, a)) * dK.T) / 2 for dK in slopes])


FACTORS = {
    "recurrence": "",
    "cholesky": "F = cholesky(K)\nz = solve(F, flow - mu)\n"
    "minimize sumsq(z) / 2 + sum(log(F[i, i]) for i) + n / 2 * log(2 * pi)\n",
    "solve": "y = flow - mu\n"
    "minimize sum(y * solve(K, y)) / 2 + logdet(K) / 2 + n / 2 * log(2 * pi)\n",
}


@pytest.mark.parametrize("n", [60, 100])
@pytest.mark.parametrize("factor", FACTORS)
def test_a_gaussian_process(factor: str, n: int) -> None:
    text = (EXAMPLES / "gaussian-process" / "nile.sym").read_text(encoding="utf-8")
    if FACTORS[factor]:
        text = text[: text.index("L[j, j]")] + FACTORS[factor]
    year, flow = table("nile")[:n].T
    problem = symopt.parse(text).bind(year=year, flow=flow)
    p, y = np.array([130.0, 15.0, 110.0]), flow - flow.mean()
    # Condition numbers are about 50.
    surprise = negative_log_density(y, covariance(year, p)[0])
    assert problem.value(p) == pytest.approx(surprise, rel=CLOSE)
    assert off(problem.grad(p), trace_formula(year, y, p)) < CLOSE
    hessian = by_complex_step(lambda q: trace_formula(year, y, q), p)
    assert off(problem.hess(p), hessian) < CLOSE


# ── Kalman filters ───────────────────────────────────────────────────────────────────────────


def differences_of_flows(order: int, p: np.ndarray, T: int) -> np.ndarray:
    """The covariance of the differences of a series, that of a level or of a level with a slope.

    What is not known of the first state is not in them, so their density is the likelihood.
    """
    if order == 1:
        eps, eta = p
        bands = [2 * eps**2 + eta**2, -(eps**2)]
    else:
        eps, eta, zeta = p
        bands = [6 * eps**2 + 2 * eta**2 + zeta**2, -4 * eps**2 - eta**2, eps**2]
    row = np.pad(bands, (0, T - order - len(bands)))
    return toeplitz(row, row)  # with one argument it takes the conjugate


def series(T: int) -> np.ndarray:
    rng = np.random.default_rng(8)
    slope = np.cumsum(0.3 * rng.normal(size=T))
    level = 900 + np.cumsum(slope + 20 * rng.normal(size=T))
    return level + 100 * rng.normal(size=T)


KALMAN = [("nile", 1, [110.0, 45.0]), ("trend", 2, [110.0, 45.0, 4.0])]


@pytest.mark.parametrize(("program", "order", "p"), KALMAN)
@pytest.mark.parametrize("T", [5, 100, 200])
def test_a_kalman_filter_has_the_joint_density(program, order, p, T) -> None:
    flow, p = series(T), np.array(p)
    problem = symopt.load(EXAMPLES / "kalman" / f"{program}.sym").bind(flow=flow)
    y = np.diff(flow, order)

    def slopes(q: np.ndarray) -> np.ndarray:
        """By the trace formula; the covariance is a quadratic function of the deviations."""
        size = len(q)
        inverse = np.linalg.inv(differences_of_flows(order, q, T))
        a = inverse @ y
        parts = [
            differences_of_flows(order, q[k] * np.eye(size)[k], T) * 2 / q[k] for k in range(size)
        ]
        return np.array([np.sum((inverse - np.outer(a, a)) * part) / 2 for part in parts])

    # Covariances of differences have condition numbers of up to 1e4.
    surprise = negative_log_density(y, differences_of_flows(order, p, T))
    assert problem.value(p) == pytest.approx(surprise, rel=1e-10)
    assert off(problem.grad(p), slopes(p)) < 1e-9
    assert off(problem.hess(p), by_complex_step(slopes, p)) < 1e-9


def test_the_likeliest_variances_of_the_nile() -> None:
    """As printed by Durbin and Koopman, to the digits they give."""
    flow = table("nile")[:, 1]
    problem = symopt.load(EXAMPLES / "kalman" / "nile.sym").bind(flow=flow)
    found = symopt.minimize(problem, method="bfgs")
    assert found.success
    assert found.x**2 == pytest.approx([15099, 1469.1], rel=1e-4)


# Two instruments see a level and its slope: innovations are vectors, so a matrix is inverted.
SEVERAL = """
data y[T, m], H[m, 2], A[2, 2]
param noise[m] > 0 init 1, step[2] > 0 init 0.5
R[a, b] = noise[a]^2 if a == b else 0 for a in m, b in m
Q[i, j] = step[i]^2 if i == j else 0 for i in 2, j in 2

x[0, i] = 0 for i in 2
C[0, i, j] = 10 * (i == j) for i in 2, j in 2
P[t, i, j] = Q[i, j] + sum(A[i, a] * C[t-1, a, b] * A[j, b] for a, b) for t in range(1, T + 1)
S[t, a, b] = R[a, b] + sum(H[a, i] * P[t, i, j] * H[b, j] for i, j) for t in range(1, T + 1)
G[t, i, a] = sum(P[t, i, j] * inv(S[t])[b, a] * H[b, j] for j, b) for t in range(1, T + 1)
C[t, i, j] = (
    P[t, i, j] - sum(G[t, i, a] * H[a, k] * P[t, k, j] for a, k)
) for t in range(1, T + 1), i in 2, j in 2
v[t, a] = y[t-1, a] - sum(H[a, i] * A[i, j] * x[t-1, j] for i, j) for t in range(1, T + 1)
x[t] = A @ x[t-1] + G[t] @ v[t] for t in range(1, T + 1)
cost[t] = logdet(S[t]) + sum(v[t] * solve(S[t], v[t])) for t in range(1, T + 1)
minimize sum(cost[t] for t in range(1, T + 1)) / 2
"""


def filtered(y, H, A, noise, step) -> complex:
    """The textbook filter, for real or complex deviations."""
    x, C, total = np.zeros(2), 10 * np.eye(2), 0.0
    for seen in y:
        x, P = A @ x, A @ C @ A.T + np.diag(step**2)
        S = H @ P @ H.T + np.diag(noise**2)
        v = seen - H @ x
        total += np.log(np.linalg.det(S)) + v @ np.linalg.solve(S, v)
        G = P @ H.T @ np.linalg.inv(S)
        x, C = x + G @ v, P - G @ H @ P
    return total / 2


@pytest.mark.parametrize("m", [1, 2, 3])
def test_a_kalman_filter_of_several_observations(m: int) -> None:
    rng = np.random.default_rng(9)
    y, H = rng.normal(size=(200, m)), rng.normal(size=(m, 2))
    A = np.array([[1.0, 0.7], [-0.2, 0.8]])
    problem = symopt.parse(SEVERAL).bind(y=y, H=H, A=A)
    p = rng.uniform(0.4, 1.2, problem.n)

    def loss(q: np.ndarray) -> complex:
        return filtered(y, H, A, q[:m], q[m:])

    # The textbook's covariance loses symmetry by rounding.
    assert problem.value(p) == pytest.approx(loss(p), rel=1e-10)
    assert off(problem.grad(p), by_complex_step(loss, p)) < 1e-9
