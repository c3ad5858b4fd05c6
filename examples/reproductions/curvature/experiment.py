"""What second derivatives and other metrics do for a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import symopt
from examples.reproductions.page import table

HERE = Path(__file__).parent
DATA = Path(__file__).parents[2] / "data"
Array = NDArray[np.float64]
CONJUGATE = (
    "cg-fletcher-reeves",
    "cg-polak-ribiere",
    "cg-hestenes-stiefel",
    "cg-dai-yuan",
    "cg-hager-zhang",
)


@dataclass(frozen=True, slots=True)
class NewtonRun:
    """Newton's steps with one η: how far from the minimum, in parts of that at the start."""

    rate: float
    first: float  # after one step
    last: float  # after twenty


@dataclass(frozen=True, slots=True)
class WellRun:
    """Where Newton's steps go from a place between two minima."""

    start: float
    curvature: float
    plain: float  # by the formula as it stands
    modified: float  # with a definite matrix and a search


@dataclass(frozen=True, slots=True)
class Conjugate:
    """One formula for β."""

    method: str
    steps: int  # on the quadratic, until its gradient is a millionth of a millionth
    iterations: int  # on the valley
    gradients: int


@dataclass(frozen=True, slots=True)
class LogLoss:
    """A method on softmax regression."""

    method: str
    iterations: int
    gradients: int
    value: float
    gradient: float


@dataclass(frozen=True, slots=True)
class Findings:
    newton: tuple[NewtonRun, ...]
    wells: tuple[WellRun, ...]
    scaling: float  # largest difference of a scaled step and the A⁻¹ step
    unknowns: int  # of the quadratic
    conjugate: tuple[Conjugate, ...]
    losses: tuple[LogLoss, ...]
    lengths: tuple[float, ...]
    differences: tuple[float, ...]  # relative errors of Hessian-vector products, by length
    complex_step: float
    natural: tuple[float, float]  # how far steps in two coordinates are apart: plain, natural
    metrics: tuple[float, float]  # KL's Hessian against diag(1/P): there and back
    units: tuple[float, float]  # steps in bits over steps in nats: plain, Newton


def measure(quick: bool) -> Findings:
    """All of it; the quick one has fewer unknowns."""
    unknowns = 8 if quick else 30
    A, b = _bowl(unknowns)
    return Findings(
        tuple(_newton(A, b, rate) for rate in (0.5, 1.0, 1.5, 1.9, 2.0, 2.1)),
        tuple(_well(start) for start in (0.2, 0.45, 0.5, 0.5773, 2.0)),
        _scaling(A, b),
        unknowns,
        tuple(_conjugate(method, A, b) for method in CONJUGATE),
        tuple(_flowers(method) for method in ("lm", "newton", "bfgs", "gradient-descent")),
        *_products(),
        natural=_natural(),
        metrics=_metrics(),
        units=_units(),
    )


def steps(problem: symopt.Problem, method: str, count: int, **settings: Any) -> Array:
    """The points of a run of at most so many steps."""
    run = symopt.iterate(problem, method, tol=0, max_iter=count, **settings)
    seen: dict[int, Array] = {}
    for state in run:
        seen.setdefault(state.iteration, state.x)
    return np.array(list(seen.values()))


def _bowl(unknowns: int) -> tuple[Array, Array]:
    """A positive definite matrix of condition 1000, and a vector."""
    rng = np.random.default_rng(0)
    turned = np.linalg.qr(rng.normal(size=(unknowns, unknowns)))[0]
    return (turned * np.geomspace(1e-2, 10, unknowns)) @ turned.T, rng.normal(size=unknowns)


def _quadratic(A: Array, b: Array, R: Array | None = None) -> symopt.Problem:
    return symopt.load(HERE / "quadratic.sym").bind(A=A, b=b, R=np.eye(len(b)) if R is None else R)


def _newton(A: Array, b: Array, rate: float) -> NewtonRun:
    problem, minimum = _quadratic(A, b), np.linalg.solve(A, b)
    options = {"rate": rate, "modify": "none"}
    points = steps(problem, "newton", 20, options=options)
    distance = np.linalg.norm(points - minimum, axis=1) / np.linalg.norm(points[0] - minimum)
    return NewtonRun(rate, float(distance[1]), float(distance[-1]))


def _well(start: float) -> WellRun:
    problem = symopt.load(HERE / "well.sym").bind()
    x0 = np.array([start])
    plain = steps(problem, "newton", 60, x0=x0, options={"modify": "none"})
    modified = symopt.minimize(problem, "newton", x0=x0)
    return WellRun(start, float(problem.hess(x0)[0, 0]), float(plain[-1, 0]), float(modified.x[0]))


def _scaling(A: Array, b: Array) -> float:
    """Gradient descent on ŵ = A^½ w, seen as w, beside w − η A⁻¹ g, over ten steps."""
    values, vectors = np.linalg.eigh(A)
    root = (vectors / np.sqrt(values)) @ vectors.T  # A^-½
    scaled = steps(_quadratic(A, b, root), "gradient-descent", 10, options={"rate": 0.3}) @ root
    direct = steps(_quadratic(A, b), "newton", 10, options={"rate": 0.3, "modify": "none"})
    return float(np.abs(scaled - direct).max() / np.abs(direct).max())


def _conjugate(method: str, A: Array, b: Array) -> Conjugate:
    exact = {"search": "exact"}
    points = steps(_quadratic(A, b), method, 3 * len(b), options=exact)
    gradients = np.linalg.norm(points @ A - b, axis=1) / np.linalg.norm(b)
    valley = symopt.minimize(symopt.load(HERE / "valley.sym").bind(), method)
    return Conjugate(method, int(np.argmax(gradients < 1e-12)), valley.nit, valley.njev)


def _iris(**given: float) -> symopt.Problem:
    table_ = np.genfromtxt(DATA / "iris.csv", delimiter=",", skip_header=1)
    features = (table_[:, :4] - table_[:, :4].mean(axis=0)) / table_[:, :4].std(axis=0)
    model = symopt.load(HERE / "flowers.sym")
    return model.bind(X=features, species=table_[:, 4].astype(int), **given)


def _flowers(method: str) -> LogLoss:
    problem = _iris()
    result = symopt.minimize(problem, method, max_iter=2000)
    return LogLoss(method, result.nit, result.njev, result.fun, float(np.abs(result.grad).max()))


def _products() -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """Errors of Hessian-vector products: by differences of gradients, and by complex step."""
    problem = symopt.load(HERE / "valley.sym").bind()
    rng = np.random.default_rng(1)
    p, v = rng.normal(size=problem.n), rng.normal(size=problem.n)
    exact = problem.hess(p) @ v

    def error(product: Array) -> float:
        return float(np.abs(product - exact).max() / np.abs(exact).max())

    lengths = tuple(10.0**k for k in range(-12, 0))
    differences = tuple(error((problem.grad(p + h * v) - problem.grad(p)) / h) for h in lengths)
    return lengths, differences, error(problem.hvp_complex_step(p, v))


# ── metrics ──────────────────────────────────────────────────────────────────────────────────────


def _whole(p: Array) -> Array:
    return np.array([p[0], p[1], 1 - p[0] - p[1]])


def _softmax(u: Array) -> Array:
    powers = np.exp([u[0], u[1], 0.0])
    return powers / powers.sum()


def _step_of(
    program: str, method: str, start: Array, whole: Callable[[Array], Array], rate: float
) -> Array:
    """The change of the distribution in one step."""

    def divergence(p: Array, q: Array) -> float:
        P, Q = whole(p), whole(q)
        return float(np.sum(P * np.log(P / Q)))

    problem = symopt.load(HERE / f"{program}.sym").bind(share=[0.2, 0.3, 0.5])
    options: dict[str, object] = {"rate": rate}
    if method == "natural-gradient":
        options |= {"distance": divergence, "search": "none"}
    points = steps(problem, method, 1, x0=start, options=options)
    return whole(points[1]) - whole(points[0])


def _natural(rate: float = 1e-3) -> tuple[float, float]:
    """How far one step by probabilities and one by logits are apart, plain and natural."""
    P = np.array([0.5, 0.3, 0.2])
    by_logits, by_shares = np.log(P[:2] / P[2]), P[:2]
    apart = []
    for method in ("gradient-descent", "natural-gradient"):
        one = _step_of("probabilities", method, by_shares, _whole, rate)
        other = _step_of("logits", method, by_logits, _softmax, rate)
        apart.append(float(np.abs(one - other).max() / np.abs(one).max()))
    return apart[0], apart[1]


def _metrics() -> tuple[float, float]:
    """How far KL's Hessian by D, there and back, is from diag(1/P)."""
    P = np.array([0.1, 0.2, 0.3, 0.4])
    model = symopt.load(HERE / "divergence.sym")
    errors = [
        np.abs(model.bind(P=P, swapped=swapped).hess(np.zeros(4)) - np.diag(1 / P)).max()
        for swapped in (0.0, 1.0)
    ]
    return float(errors[0]), float(errors[1])


def _units() -> tuple[float, float]:
    """A step of a loss in bits over that of the loss in nats, plain and Newton's."""
    ratios = []
    for method in ("gradient-descent", "newton"):
        options = {"rate": 0.1} | ({"modify": "none"} if method == "newton" else {})
        nats, bits = (
            steps(_iris(units=units), method, 1, options=options)[1]
            for units in (1.0, 1 / np.log(2))
        )
        ratios.append(float(np.linalg.norm(bits) / np.linalg.norm(nats)))
    return ratios[0], ratios[1]


# ── words ────────────────────────────────────────────────────────────────────────────────────────


def report(found: Findings) -> str:
    """The findings as tables and sentences."""
    return "\n\n".join(
        [
            "### Newton on a quadratic",
            table(
                ("η", "distance left after a step", "after 20"),
                [(f"{r.rate:g}", f"{r.first:.3g}", f"{r.last:.3g}") for r in found.newton],
            ),
            "### Newton between two minima, at -1 and 1",
            table(
                ("start", "curvature there", "as it stands", "definite, with a search"),
                [
                    (f"{w.start:g}", f"{w.curvature:.3g}", f"{w.plain:.6g}", f"{w.modified:.6g}")
                    for w in found.wells
                ],
            ),
            "### A^½ scaling",
            "Ten steps of descent on A^½ w and ten of w − η A⁻¹ g are apart by "
            f"{found.scaling:.1e} of their size.",
            f"### Conjugate gradients on {found.unknowns} unknowns, and on a valley of 10",
            table(
                ("method", "steps on the quadratic", "iterations", "gradients on the valley"),
                [(c.method, c.steps, c.iterations, c.gradients) for c in found.conjugate],
            ),
            "### Log-loss: softmax regression on iris",
            table(
                ("method", "iterations", "gradients", "value", "largest gradient entry"),
                [
                    (x.method, x.iterations, x.gradients, f"{x.value:.12f}", f"{x.gradient:.1e}")
                    for x in found.losses
                ],
            ),
            "### Hessian-vector products",
            f"Complex step: a relative error of {found.complex_step:.1e}. Differences of "
            f"gradients: {min(found.differences):.1e} at the best of {len(found.lengths)} lengths, "
            f"{max(found.differences):.1e} at the worst.",
            "### Metrics",
            _metrics_text(found),
        ]
    )


def _metrics_text(found: Findings) -> str:
    sentences: Sequence[str] = (
        "One step by probabilities and one by logits, η = 0.001, are apart by "
        f"{found.natural[0]:.2g} of their size with the plain gradient, by "
        f"{found.natural[1]:.2g} with the natural one.",
        f"The Hessian of KL by D is diag(1/P) to {found.metrics[0]:.1e}, of KL the other way "
        f"round to {found.metrics[1]:.1e}.",
        f"A step of the loss in bits is {found.units[0]:.6f} times that of the loss in nats with "
        f"the plain gradient (1/ln 2 = {1 / np.log(2):.6f}), {found.units[1]:.6f} times with "
        "Newton's.",
    )
    return " ".join(sentences)
