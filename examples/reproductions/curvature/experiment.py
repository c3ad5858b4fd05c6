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
CURVATURES = (1.0, 3.0, 10.0, 30.0, 100.0)
MANY = 25  # Newton's steps
DATA = Path(__file__).parents[2] / "data"
Array = NDArray[np.float64]
LENGTHS = (1e-2, 1e-3)
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
class Landing:
    """Where Newton's steps go in one unknown, from places of either curvature."""

    program: str
    start: float
    curvature: float
    first: float  # after one step by the formula as it stands
    plain: float  # after many
    modified: float  # with a definite matrix and a search


@dataclass(frozen=True, slots=True)
class Conjugate:
    """One formula for β."""

    method: str
    before: float  # gradient left after n - 1 steps on n curvatures, in parts of the first
    exact: float  # after n
    few: float  # on many unknowns with few curvatures, after as many steps as these
    steps: int  # to a millionth of the gradient, on as many unknowns of condition 1000
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
    landings: tuple[Landing, ...]
    scaling: float  # largest difference of a scaled step and the A⁻¹ step
    unknowns: int  # of the large quadratics
    conjugate: tuple[Conjugate, ...]
    matrix: float  # how far the Gauss-Newton matrix of a log-loss is from the Hessian
    losses: tuple[LogLoss, ...]
    lengths: tuple[float, ...]
    differences: tuple[float, ...]  # relative errors of Hessian-vector products, by length
    complex_step: float
    plain: float  # how far steps of the gradient in two coordinates are apart
    natural: tuple[float, float]  # steps of the natural gradient, of two lengths
    metrics: tuple[float, float]  # KL's Hessian against diag(1/P): there and back
    units: tuple[float, float]  # steps in bits over steps in nats: plain, Newton


def measure(quick: bool) -> Findings:
    """All of it; the quick one has fewer unknowns."""
    unknowns = 10 if quick else 30
    bowl = _bowl(np.geomspace(1e-2, 10, unknowns))
    iris = _iris()
    return Findings(
        tuple(_newton(bowl, rate) for rate in (0.5, 1.0, 1.5, 1.9, 2.0, 2.1)),
        _landings("well", (0.2, 0.45, 0.5, 0.5773, 2.0)) + _landings("hole", (0.5, 0.9, 1.2, 1.5)),
        _scaling(bowl),
        unknowns,
        _conjugates(bowl, CURVATURES * (unknowns // len(CURVATURES))),
        _matrix(iris),
        tuple(_flowers(iris, method) for method in ("lm", "newton", "bfgs", "gradient-descent")),
        *_products(),
        *_natural(),
        metrics=_metrics(),
        units=_units(iris),
    )


def steps(problem: symopt.Problem, method: str, count: int, **settings: Any) -> Array:
    """The points of a run of at most so many steps."""
    run = symopt.iterate(problem, method, tol=0, max_iter=count, **settings)
    seen: dict[int, Array] = {}
    for state in run:
        seen.setdefault(state.iteration, state.x)
    return np.array(list(seen.values()))


# ── quadratics ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, eq=False)
class Bowl:
    """w'Aw/2 - b'w, and its minimum."""

    A: Array
    b: Array
    problem: symopt.Problem

    @property
    def minimum(self) -> Array:
        return np.asarray(np.linalg.solve(self.A, self.b), np.float64)

    def seen(self, points: Array) -> Array:
        """The size of the gradient at each point, in parts of the one at zero."""
        left = np.linalg.norm(points @ self.A - self.b, axis=1) / np.linalg.norm(self.b)
        return np.asarray(left, np.float64)


def _bowl(curvatures: Sequence[float] | Array) -> Bowl:
    """With axes in directions drawn at random."""
    rng, n = np.random.default_rng(0), len(curvatures)
    turned = np.linalg.qr(rng.normal(size=(n, n)))[0]
    A, b = (turned * curvatures) @ turned.T, rng.normal(size=n)
    return Bowl(A, b, symopt.load(HERE / "quadratic.sym").bind(A=A, b=b, R=np.eye(n)))


def _newton(bowl: Bowl, rate: float) -> NewtonRun:
    options = {"rate": rate, "modify": "none"}
    points = steps(bowl.problem, "newton", 20, options=options)
    left = np.linalg.norm(points - bowl.minimum, axis=1) / np.linalg.norm(bowl.minimum)
    return NewtonRun(rate, float(left[1]), float(left[-1]))


def _landings(program: str, starts: Sequence[float]) -> tuple[Landing, ...]:
    problem = symopt.load(HERE / f"{program}.sym").bind()
    found = []
    for start in starts:
        x0 = np.array([start])
        plain = steps(problem, "newton", MANY, x0=x0, options={"modify": "none"})[:, 0]
        modified = symopt.minimize(problem, "newton", x0=x0).x[0]
        curvature = problem.hess(x0)[0, 0]
        ends = (float(x) for x in (curvature, plain[1], plain[-1], modified))
        found.append(Landing(program, start, *ends))
    return tuple(found)


def _scaling(bowl: Bowl) -> float:
    """Gradient descent on ŵ = A^½ w, seen as w, beside w − η A⁻¹ g, over ten steps."""
    values, vectors = np.linalg.eigh(bowl.A)
    root = (vectors / np.sqrt(values)) @ vectors.T  # A^-½
    options = {"rate": 0.3}
    scaled = steps(bowl.problem.rebind(R=root), "gradient-descent", 10, options=options) @ root
    direct = steps(bowl.problem, "newton", 10, options=options | {"modify": "none"})
    return float(np.abs(scaled - direct).max() / np.abs(direct).max())


def _conjugates(bowl: Bowl, many: Sequence[float]) -> tuple[Conjugate, ...]:
    small, large = _bowl(CURVATURES), _bowl(many)
    valley = symopt.load(HERE / "valley.sym").bind()
    n, exact, found = len(CURVATURES), {"search": "exact"}, []
    for method in CONJUGATE:
        left = small.seen(steps(small.problem, method, n, options=exact))
        few = large.seen(steps(large.problem, method, n, options=exact))
        rounded = bowl.seen(steps(bowl.problem, method, 200, options=exact))
        count = int(np.argmax(rounded <= 1e-6))
        end = symopt.minimize(valley, method)
        ends = (float(left[n - 1]), float(left[-1]), float(few[-1]))
        found.append(Conjugate(method, *ends, count, end.nit, end.njev))
    return tuple(found)


# ── a log-loss, and products ─────────────────────────────────────────────────────────────────────


def _iris() -> symopt.Problem:
    table_ = np.genfromtxt(DATA / "iris.csv", delimiter=",", skip_header=1)
    features = (table_[:, :4] - table_[:, :4].mean(axis=0)) / table_[:, :4].std(axis=0)
    model = symopt.load(HERE / "flowers.sym")
    return model.bind(X=features, species=table_[:, 4].astype(int))


def _matrix(iris: symopt.Problem) -> float:
    place = np.random.default_rng(2).normal(size=iris.n)
    hessian = iris.hess(place)
    return float(np.abs(iris.gauss_newton(place)[0] - hessian).max() / np.abs(hessian).max())


def _flowers(iris: symopt.Problem, method: str) -> LogLoss:
    result = symopt.minimize(iris, method, max_iter=2000)
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
    problem: symopt.Problem,
    method: str,
    start: Array,
    whole: Callable[[Array], Array],
    rate: float,
) -> Array:
    """The change of the distribution in one step."""

    def divergence(p: Array, q: Array) -> float:
        P, Q = whole(p), whole(q)
        return float(np.sum(P * np.log(P / Q)))

    options: dict[str, object] = {"rate": rate}
    if method == "natural-gradient":
        options |= {"distance": divergence, "search": "none"}
    points = steps(problem, method, 1, x0=start, options=options)
    return whole(points[1]) - whole(points[0])


def _natural() -> tuple[float, tuple[float, float]]:
    """How far one step by probabilities and one by logits are apart, plain and natural."""
    P, share = np.array([0.5, 0.3, 0.2]), [0.2, 0.3, 0.5]
    by_shares = symopt.load(HERE / "probabilities.sym").bind(share=share)
    by_logits = symopt.load(HERE / "logits.sym").bind(share=share)

    def apart(method: str, rate: float) -> float:
        one = _step_of(by_shares, method, P[:2], _whole, rate)
        other = _step_of(by_logits, method, np.log(P[:2] / P[2]), _softmax, rate)
        return float(np.abs(one - other).max() / np.abs(one).max())

    longer, shorter = (apart("natural-gradient", rate) for rate in LENGTHS)
    return apart("gradient-descent", LENGTHS[0]), (longer, shorter)


def _metrics() -> tuple[float, float]:
    """How far KL's Hessian by D, there and back, is from diag(1/P)."""
    P = np.array([0.1, 0.2, 0.3, 0.4])
    problem = symopt.load(HERE / "divergence.sym").bind(P=P)
    errors = [
        np.abs(problem.rebind(swapped=swapped).hess(np.zeros(4)) - np.diag(1 / P)).max()
        for swapped in (0.0, 1.0)
    ]
    return float(errors[0]), float(errors[1])


def _units(iris: symopt.Problem) -> tuple[float, float]:
    """A step of a loss in bits over that of the loss in nats, plain and Newton's."""
    ratios = []
    for method in ("gradient-descent", "newton"):
        options = {"rate": 0.1} | ({"modify": "none"} if method == "newton" else {})
        nats, bits = (
            steps(iris.rebind(units=units), method, 1, options=options)[1]
            for units in (1.0, 1 / np.log(2))
        )
        ratios.append(float(np.linalg.norm(bits) / np.linalg.norm(nats)))
    return ratios[0], ratios[1]


# ── words ────────────────────────────────────────────────────────────────────────────────────────


OBJECTIVES = {"well": "x⁴/4 − x²/2", "hole": "1 − exp(−x²/2)"}


def report(found: Findings) -> str:
    """The findings as tables and sentences."""
    return "\n\n".join(
        [
            "### Newton on a quadratic",
            table(
                ("η", "distance left after a step", "after 20"),
                [(f"{r.rate:g}", f"{r.first:.3g}", f"{r.last:.3g}") for r in found.newton],
            ),
            "### Newton where the curvature changes its sign",
            table(
                (
                    "objective",
                    "start",
                    "curvature there",
                    "one step, as it stands",
                    f"{MANY} steps",
                    "definite, with a search",
                ),
                [
                    (
                        OBJECTIVES[w.program],
                        *(f"{x:.4g}" for x in (w.start, w.curvature, w.first, w.plain)),
                        f"{w.modified:.6f}",
                    )
                    for w in found.landings
                ],
            ),
            "### A^½ scaling",
            "Ten steps of descent on A^½ w and ten of w − η A⁻¹ g are apart by "
            f"{found.scaling:.1e} of their size.",
            "### Conjugate gradients, with exact searches on quadratics",
            _conjugate_text(found),
            "### Log-loss: softmax regression on iris",
            f"The Gauss-Newton matrix is the Hessian to {found.matrix:.1e}.",
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


def _conjugate_text(found: Findings) -> str:
    n = len(CURVATURES)
    return table(
        (
            "method",
            f"gradient left after {n - 1} steps, {n} curvatures",
            f"after {n}",
            f"after {n}, {found.unknowns} unknowns of {n} curvatures",
            f"steps to 1e-6, {found.unknowns} unknowns, κ = 1000",
            "iterations on a valley of 10",
            "gradients there",
        ),
        [
            (
                c.method,
                *(f"{x:.1e}" for x in (c.before, c.exact, c.few)),
                c.steps,
                c.iterations,
                c.gradients,
            )
            for c in found.conjugate
        ],
    )


def _metrics_text(found: Findings) -> str:
    sentences: Sequence[str] = (
        "One step by probabilities and one by logits are apart by "
        f"{found.plain:.2g} of their size with the plain gradient; with the natural one by "
        f"{found.natural[0]:.2g} at η = {LENGTHS[0]:g} and {found.natural[1]:.2g} at "
        f"{LENGTHS[1]:g}.",
        f"The Hessian of KL by D is diag(1/P) to {found.metrics[0]:.1e}, of KL the other way "
        f"round to {found.metrics[1]:.1e}.",
        f"A step of the loss in bits is {found.units[0]:.6f} times that of the loss in nats with "
        f"the plain gradient (1/ln 2 = {1 / np.log(2):.6f}), {found.units[1]:.6f} times with "
        "Newton's.",
    )
    return " ".join(sentences)
