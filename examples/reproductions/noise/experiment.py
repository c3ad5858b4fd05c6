"""What noise does to methods: searches, signs, step sizes, schedules, and a target that moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import symopt
from examples.reproductions.page import table
from symopt.optim.rules import NUMPY
from symopt.optim.stochastic.smd import SMD, SMDMemory

HERE = Path(__file__).parent
Array = NDArray[np.float64]
Batch = Mapping[str, Array]
NOISE = 1.0  # standard deviation of the observations
POSITIVES = 0.1


@dataclass(frozen=True, slots=True)
class Noisy:
    """A method without and with noise: the distance left, in parts of that at the start."""

    label: str
    method: str
    whole: float  # each step sees all samples
    batches: float  # each step sees other ones


@dataclass(frozen=True, slots=True)
class Rates:
    """What the step size of one weight at its optimum does under noise."""

    method: str
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A schedule on the mean of a stream: mean squared distance after some steps."""

    schedule: str
    errors: tuple[float, ...]
    robbins_monro: bool


@dataclass(frozen=True, slots=True, eq=False)
class Tracking:
    """How far behind a moving target a method is, step by step (the mean of some runs)."""

    label: str
    distance: Array


@dataclass(frozen=True, slots=True)
class Speed:
    """Steps to a millionth of the distance on a quadratic, by condition number."""

    label: str
    method: str
    options: Mapping[str, object]
    steps: Mapping[float, int]


@dataclass(frozen=True, slots=True)
class Findings:
    noisy: tuple[Noisy, ...]
    sign: float  # mean sign of the product of successive errors at the optimum
    rates: tuple[Rates, ...]
    fixpoint: float  # largest relative distance of v from the formula
    invariance: float  # relative change of v·g under a change of coordinates
    counts: tuple[int, ...]
    schedules: tuple[Scheduled, ...]
    tracking: tuple[Tracking, ...]
    speeds: tuple[Speed, ...]


def measure(quick: bool) -> Findings:
    """All of it; the quick one has fewer runs."""
    counts = (10, 100, 1000) if quick else (10, 100, 1000, 10_000)
    return Findings(
        _noisy(2 if quick else 10),
        _sign(20_000 if quick else 200_000),
        _rates(1000 if quick else 5000),
        *_meta_descent(),
        counts=counts,
        schedules=_schedules(counts, 20 if quick else 100),
        tracking=_tracking(600 if quick else 2000, 3 if quick else 20),
        speeds=_speeds((10.0, 100.0) if quick else (10.0, 100.0, 1000.0)),
    )


# ── line searches, conjugate gradients and BFGS ──────────────────────────────────────────────────

_METHODS: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("steepest descent, searching", "steepest-descent", {}),
    ("conjugate gradients", "cg-hestenes-stiefel", {}),
    ("BFGS", "bfgs", {}),
    ("SGD, 1/(k+1) after 100", "sgd", {"rate": 0.3}),
    ("SMD", "smd", {"rate": 0.1, "meta_rate": 0.05, "decay": 0.99}),
)


def samples(truth: Array, count: int, rng: np.random.Generator) -> dict[str, Array]:
    """Inputs of sizes 1 to 0.3, and noisy outputs of a line."""
    x = rng.normal(size=(count, len(truth))) * np.linspace(1, 0.3, len(truth))
    return {"x": x, "y": x @ truth + rng.normal(0, NOISE, count)}


def _noisy(runs: int) -> tuple[Noisy, ...]:
    model, truth = symopt.load(HERE / "line.sym"), np.linspace(-1, 1, 8) * 5
    found = []
    for label, method, given in _METHODS:
        options = dict(given)
        if method == "sgd":
            options["schedule"] = symopt.optim.schedules.Inverse(steps=100)
        left = np.zeros((runs, 2))
        for run in range(runs):
            rng = np.random.default_rng(run)
            problem = model.bind(samples(truth, 2000, rng))
            best = np.linalg.lstsq(*_both(problem), rcond=None)[0]
            ends = (
                symopt.minimize(problem, method, max_iter=1000, batch_size=size, options=options)
                for size in (2000, 5)
            )
            left[run] = [np.linalg.norm(end.x - best) / np.linalg.norm(best) for end in ends]
        found.append(Noisy(label, method, *map(float, np.median(left, axis=0))))
    return tuple(found)


def _both(problem: symopt.Problem) -> tuple[Array, Array]:
    start = problem.x0
    return problem.eval("x", start), problem.eval("y", start)


# ── signs ────────────────────────────────────────────────────────────────────────────────────────


def labels(count: int, seed: int) -> Array:
    """Ones among zeros, a tenth of them."""
    return (np.random.default_rng(seed).random(count) < POSITIVES).astype(float)


def _sign(count: int) -> float:
    """E[sign(eₜ eₜ₊₁)] of the gradients of single samples where their mean is zero."""
    problem = symopt.load(HERE / "mean.sym").bind(y=labels(2, 0))
    at = np.array([POSITIVES])
    errors = {y: float(problem.batch_of(y=[y]).grad(at)[0]) for y in (0.0, 1.0)}
    seen = np.where(labels(count, 1) == 1, errors[1.0], errors[0.0])
    return float(np.mean(np.sign(seen[1:] * seen[:-1])))


def _rates(steps: int) -> tuple[Rates, ...]:
    """Local step sizes of one weight that starts at its optimum, on single samples."""
    model = symopt.load(HERE / "mean.sym")
    problem = model.bind(y=labels(1000, 2))
    optimum = np.array([float(np.mean(_labels_of(problem)))])
    rate = 0.05
    settings: dict[str, dict[str, object]] = {
        "silva-almeida": {"rate": rate},
        "delta-bar-delta": {"rate": rate, "kappa": rate / 20, "phi": 0.05},
        "exponentiated-step": {"rate": rate, "meta_rate": 2.0},
        "smd": {"rate": rate, "meta_rate": 2.0, "decay": 0.99},
    }
    found = []
    for method, options in settings.items():
        run = symopt.iterate(
            problem, method, x0=optimum, batch_size=1, max_iter=steps, options=options, seed=5
        )
        sizes = np.array([_size(state.state) for state in run])
        found.append(Rates(method, rate, float(np.mean(sizes[-steps // 5 :]))))
    return tuple(found)


def _labels_of(problem: symopt.Problem) -> Array:
    return problem.eval("y", problem.x0)


def _size(state: Any) -> float:
    """The step size of the one weight."""
    if hasattr(state, "rates"):
        return float(state.rates[0])
    return float(state.memory.gains[0]) * state.pace.rate


# ── stochastic meta-descent ──────────────────────────────────────────────────────────────────────


def _trend(H: Array, g: Array, rates: Array, decay: float) -> Array:
    """Where v goes at one place: the rule itself, again and again, with step sizes held."""
    rule = SMD(rate=1.0, meta_rate=1e-300, decay=decay)
    memory = SMDMemory(rates, np.zeros_like(g), 0.0)
    for _ in range(20_000):
        _, memory = rule.update(NUMPY, np.zeros_like(g), g, memory, 1.0, H @ memory.trend)
    return np.asarray(memory.trend)


def _meta_descent() -> tuple[float, float]:
    """v against −[λH + (1 − λ) diag(1/p)]⁻¹ g, and v·g in two systems of coordinates."""
    rng = np.random.default_rng(3)
    root = rng.normal(size=(6, 6))
    H, g, rates = root @ root.T / 6 + 0.1 * np.eye(6), rng.normal(size=6), np.full(6, 0.1)
    distances = []
    for decay in (0.5, 0.9, 0.99):
        expected = -np.linalg.solve(decay * H + (1 - decay) * np.diag(1 / rates), g)
        found = _trend(H, g, rates, decay)
        distances.append(np.abs(found - expected).max() / np.abs(expected).max())
    # With λ = 1 the fixpoint is −H⁻¹ g, and v·g does not change with coordinates w = M w'.
    turn = rng.normal(size=(6, 6)) + 2 * np.eye(6)
    small = np.full(6, 0.02)
    here = _trend(H, g, rates, 1.0) @ g
    there = _trend(turn.T @ H @ turn, turn.T @ g, small, 1.0) @ (turn.T @ g)
    return float(max(distances)), float(abs(here - there) / abs(here))


# ── schedules ────────────────────────────────────────────────────────────────────────────────────


def _schedules(counts: tuple[int, ...], runs: int) -> tuple[Scheduled, ...]:
    schedules = symopt.optim.schedules
    chosen: dict[str, symopt.optim.schedules.Schedule] = {
        "constant": schedules.Constant(),
        "1/(k+1)": schedules.Inverse(),
        "1/(k+1)^2": schedules.Inverse(power=2.0),
        "exp(-k/100)": schedules.Exponential(decay=0.01),
    }
    model = symopt.load(HERE / "mean.sym")
    found = []
    for name, schedule in chosen.items():
        rate = 1.0 if name == "1/(k+1)" else 0.1
        ends = np.zeros((runs, len(counts)))
        for run in range(runs):
            problem = model.bind(y=[0.0, 0.0])
            options = {"rate": rate, "schedule": schedule}
            stream = _observations(counts[-1], run)
            path = symopt.iterate(problem, "sgd", stream=stream, x0=[5.0], options=options)
            at = {state.iteration: state.x[0] for state in path}
            # After k steps; the first observation is of the start, so the last step is not seen.
            ends[run] = [at[min(count, max(at))] for count in counts]
        errors = tuple(float(e) for e in np.mean((ends - 1.0) ** 2, axis=0))
        found.append(Scheduled(name, errors, schedules.robbins_monro(schedule).holds))
    return tuple(found)


def _observations(count: int, seed: int) -> Iterator[Batch]:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield {"y": rng.normal(1.0, NOISE, 1)}


# ── a moving target ──────────────────────────────────────────────────────────────────────────────


def _tracking(steps: int, runs: int) -> tuple[Tracking, ...]:
    """Linear regression on a stream whose truth walks away from where it was."""
    Inverse = symopt.optim.schedules.Inverse
    settings: tuple[tuple[str, str, dict[str, object]], ...] = (
        ("SGD, 1/(k+1) after 20", "sgd", {"rate": 0.3, "schedule": Inverse(steps=20)}),
        ("SGD, constant", "sgd", {"rate": 0.1}),
        ("SMD", "smd", {"rate": 0.1, "meta_rate": 0.05, "decay": 0.99}),
    )
    model, dims = symopt.load(HERE / "line.sym"), 5
    found = []
    for label, method, options in settings:
        distance = np.zeros(steps)
        for run in range(runs):
            truths = np.cumsum(np.random.default_rng(run).normal(0, 0.05, (steps, dims)), axis=0)
            rng = np.random.default_rng(1000 + run)
            problem = model.bind(samples(truths[0], 10, rng))
            stream = (samples(truth, 10, rng) for truth in truths)
            path = symopt.iterate(problem, method, stream=stream, options=options)
            for state in path:
                if state.status is None:
                    there = truths[state.iteration]
                    distance[state.iteration] += np.linalg.norm(state.x - there) / runs
        found.append(Tracking(label, distance))
    return tuple(found)


# ── speed without noise ──────────────────────────────────────────────────────────────────────────


def _speeds(conditions: tuple[float, ...]) -> tuple[Speed, ...]:
    """Momentum, Nesterov, Rprop and Quickprop beside descent, on quadratics along their axes."""
    found = []
    for label in ("descent", "momentum", "nesterov", "rprop", "quickprop"):
        steps = {condition: _steps(label, condition) for condition in conditions}
        found.append(Speed(label, *_tuned(label, conditions[-1]), steps))
    return tuple(found)


def _tuned(label: str, condition: float) -> tuple[str, dict[str, object]]:
    """The method with the settings that theory gives for curvatures 1 to 1/condition."""
    root = np.sqrt(1 / condition)
    match label:
        case "descent":
            return "gradient-descent", {"rate": 2 / (1 + 1 / condition)}
        case "momentum":
            beta = ((1 - root) / (1 + root)) ** 2
            return "momentum", {"rate": (1 + np.sqrt(beta)) ** 2, "momentum": float(beta)}
        case "nesterov":
            return "nesterov", {"rate": 1.0, "momentum": float((1 - root) / (1 + root))}
        case _:
            return label, {}


def _steps(label: str, condition: float) -> int:
    curvatures = np.geomspace(1 / condition, 1, 10)
    problem = symopt.load(HERE / "bowl.sym").bind(a=curvatures, c=np.ones(10))
    method, options = _tuned(label, condition)
    for state in symopt.iterate(problem, method, tol=0, max_iter=20_000, options=options):
        if np.linalg.norm(state.x - 1) <= 1e-6 * np.sqrt(10):
            return state.iteration
    return 20_000


# ── words ────────────────────────────────────────────────────────────────────────────────────────


def report(found: Findings) -> str:
    """The findings as tables and sentences."""
    return "\n\n".join(
        [
            "### Line searches, conjugate gradients and BFGS",
            table(
                ("method", "distance left, all samples", "distance left, batches of 5"),
                [(n.label, f"{n.whole:.2g}", f"{n.batches:.2g}") for n in found.noisy],
            ),
            "### Signs of successive errors",
            f"With 10 % positives, E[sign(eₜ eₜ₊₁)] at the optimum is {found.sign:.3f} "
            "(0.01 + 0.81 − 0.18 = 0.64).",
            table(
                ("method", "step size at the start", "mean of the last fifth"),
                [(r.method, f"{r.first:g}", f"{r.last:.3g}") for r in found.rates],
            ),
            "### Stochastic meta-descent",
            f"v is at its fixpoint to {found.fixpoint:.1e}; with λ = 1, v·g in other coordinates "
            f"differs by {found.invariance:.1e}.",
            "### Schedules, on the mean of a stream: mean squared distance",
            table(
                ("schedule", *(f"{count} steps" for count in found.counts), "Robbins-Monro"),
                [
                    (s.schedule, *(f"{e:.2g}" for e in s.errors), "yes" if s.robbins_monro else "")
                    for s in found.schedules
                ],
            ),
            "### A moving target: mean distance in the second half",
            table(
                ("method", "distance"),
                [(t.label, f"{_second_half(t):.3f}") for t in found.tracking],
            ),
            "### Without noise: steps to a millionth of the distance, by condition number",
            table(
                ("method", *(f"{c:g}" for c in found.speeds[0].steps)),
                [(s.label, *s.steps.values()) for s in found.speeds],
            ),
        ]
    )


def _second_half(tracking: Tracking) -> float:
    return float(tracking.distance[len(tracking.distance) // 2 : -1].mean())
