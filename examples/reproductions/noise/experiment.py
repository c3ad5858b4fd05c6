"""What noise does to methods: searches, signs, step sizes, schedules, and a target that moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import symopt
from examples.reproductions.page import table
from symopt.optim.methods import find_method
from symopt.optim.problem import evaluate
from symopt.optim.robbins_monro import robbins_monro
from symopt.optim.rules import NUMPY
from symopt.optim.schedules import Constant, Exponential, Inverse, Schedule
from symopt.optim.stochastic.smd import SMD, SMDMemory

HERE = Path(__file__).parent
Array = NDArray[np.float64]
Batch = Mapping[str, Array]
NOISE = 1.0  # standard deviation of the observations
POSITIVES = 0.1
TRUTH, START = 1.0, 5.0  # of the mean that schedules are tried on


@dataclass(frozen=True, slots=True)
class Noisy:
    """A method without and with noise: the distance left, in parts of that at the start."""

    label: str
    method: str
    whole: float  # each step sees all samples
    batches: float  # each step sees other ones
    steps: int  # until it gives up there; all if it does not
    consistent: float  # as `batches`, but a step compares values of its own batch only


@dataclass(frozen=True, slots=True)
class Rates:
    """What the step size of one weight at its optimum does under noise."""

    method: str
    first: float
    last: float  # the mean of the last fifth of the steps
    place: float  # the mean place in these


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A schedule on the mean of a stream: mean squared distance after some steps."""

    schedule: str
    errors: tuple[float, ...]
    robbins_monro: bool
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Tracking:
    """How far behind a moving target a method is, step by step (the mean of some runs)."""

    label: str
    distance: Array


@dataclass(frozen=True, slots=True)
class Speed:
    """Steps to a millionth of the distance on a quadratic, by condition number."""

    label: str
    steps: Mapping[float, int | None]  # None where it did not get there
    turned: int | None  # at the largest condition number, with axes that are not the unknowns


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
        _noisy(1 if quick else 10),
        _sign(20_000 if quick else 200_000),
        _rates(1000 if quick else 5000),
        *_meta_descent(),
        counts=counts,
        schedules=_schedules(counts, 100),
        tracking=_tracking(600 if quick else 2000, 3 if quick else 20),
        speeds=_speeds((10.0, 100.0) if quick else (10.0, 100.0, 1000.0)),
    )


# ── line searches, conjugate gradients and BFGS ──────────────────────────────────────────────────

BATCH, STEPS = 5, 1000
_INVERSE = Inverse(steps=100)
_METHODS: tuple[tuple[str, str, Mapping[str, object]], ...] = (
    ("steepest descent, searching", "steepest-descent", {}),
    ("conjugate gradients", "cg-hestenes-stiefel", {}),
    ("BFGS", "bfgs", {}),
    ("SGD, 1/(k+1) after 100", "sgd", {"rate": 0.3, "schedule": _INVERSE}),
    ("SMD", "smd", {"rate": 0.1, "meta_rate": 0.05, "decay": 0.99}),
)


def samples(truth: Array, count: int, rng: np.random.Generator) -> dict[str, Array]:
    """Inputs of sizes 1 to 0.3, and noisy outputs of a line."""
    x = rng.normal(size=(count, len(truth))) * np.linspace(1, 0.3, len(truth))
    return {"x": x, "y": x @ truth + rng.normal(0, NOISE, count)}


def _noisy(runs: int) -> tuple[Noisy, ...]:
    """The median of some runs, each on 2000 samples of its own."""
    truth = np.linspace(-1, 1, 8) * 5
    data = [samples(truth, 2000, np.random.default_rng(run)) for run in range(runs)]
    problem = symopt.load(HERE / "line.sym").bind(data[0])
    found = []
    for label, method, options in _METHODS:
        left = [_left(problem.rebind(drawn), drawn, method, options) for drawn in data]
        whole, batches, steps, consistent = (float(x) for x in np.median(left, axis=0))
        found.append(Noisy(label, method, whole, batches, int(steps), consistent))
    return tuple(found)


def _left(
    problem: symopt.Problem, data: Batch, method: str, options: Mapping[str, object]
) -> tuple[float, float, int, float]:
    best = np.linalg.lstsq(data["x"], data["y"], rcond=None)[0]

    def distance(x: Array) -> float:
        return float(np.linalg.norm(x - best) / np.linalg.norm(best))

    whole, batches = (
        symopt.minimize(problem, method, max_iter=STEPS, batch_size=size, options=options)
        for size in (len(data["y"]), BATCH)
    )
    consistent = float(np.median([distance(x) for x in _consistent(problem, method, options)]))
    return distance(whole.x), distance(batches.x), batches.nit, consistent


def _consistent(
    problem: symopt.Problem, method: str, options: Mapping[str, object]
) -> Iterator[Array]:
    """The last tenth of the places, where each batch is asked again for the value at the start."""
    optimizer = find_method(method).settings(options)
    rng, state = np.random.default_rng(0), None
    for step in range(STEPS):
        batch = problem.batch(rng.choice(problem.samples, BATCH, replace=False))
        if state is None:
            state = optimizer.init(batch, problem.x0)
        else:
            point = evaluate(batch, state.point.x)
            state = optimizer.step(batch, replace(state, point=point, outcome=None))
        if step >= STEPS - STEPS // 10:
            yield state.point.x


# ── signs ────────────────────────────────────────────────────────────────────────────────────────


def labels(count: int, seed: int) -> Array:
    """Ones among zeros, a tenth of them."""
    return (np.random.default_rng(seed).random(count) < POSITIVES).astype(float)


def _sign(count: int) -> float:
    """E[sign(eₜ eₜ₊₁)] of the gradients of single samples where their mean is zero."""
    problem = symopt.load(HERE / "mean.sym").bind(y=[[0.0]])
    at = np.array([POSITIVES])
    errors = {y: float(problem.batch_of(y=[[y]]).grad(at)[0]) for y in (0.0, 1.0)}
    seen = np.where(labels(count, 1) == 1, errors[1.0], errors[0.0])
    return float(np.mean(np.sign(seen[1:] * seen[:-1])))


def _rates(steps: int) -> tuple[Rates, ...]:
    """Local step sizes of one weight that starts at its optimum, on single samples."""
    observed = np.repeat([1.0, 0.0], [100, 900])
    problem = symopt.load(HERE / "mean.sym").bind(y=observed[:, None])
    rate = 0.05
    settings: dict[str, dict[str, object]] = {
        "rprop": {"first": rate, "scaled": False},
        "silva-almeida": {"rate": rate},
        "delta-bar-delta": {"rate": rate, "kappa": rate / 20, "phi": 0.05},
        "exponentiated-step": {"rate": rate, "meta_rate": 2.0},
        "smd": {"rate": rate, "meta_rate": 2.0, "decay": 0.99},
    }
    found = []
    for method, options in settings.items():
        run = symopt.iterate(
            problem,
            method,
            x0=[observed.mean()],
            batch_size=1,
            max_iter=steps,
            options=options,
            seed=5,
        )
        late = [(_size(state.state), state.x[0]) for state in run][-steps // 5 :]
        size, place = np.mean(late, axis=0)
        found.append(Rates(method, rate, float(size), float(place)))
    return tuple(found)


def _size(state: Any) -> float:
    """The step size of the one weight; of Rprop's, the length of its step."""
    for name in ("rates", "sizes"):
        if hasattr(state, name):
            return float(getattr(state, name)[0])
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
    """All runs side by side: each is an unknown of its own."""
    chosen: tuple[tuple[str, float, Schedule], ...] = (
        ("constant, 0.1", 0.1, Constant()),
        ("1/(k+1)", 1.0, Inverse()),
        ("0.1/(k+1)^2", 0.1, Inverse(power=2.0)),
        ("0.1 exp(-k/100)", 0.1, Exponential(decay=0.01)),
    )
    problem = symopt.load(HERE / "mean.sym").bind(y=np.zeros((2, runs)))
    found = []
    for name, rate, schedule in chosen:
        # One more than steps that count, so that the place after the last one is seen.
        stream = _observations(counts[-1] + 1, runs)
        options = {"rate": rate, "schedule": schedule}
        path = symopt.iterate(
            problem, "sgd", stream=stream, x0=np.full(runs, START), options=options
        )
        at = {state.iteration: state.x for state in path if state.iteration in counts}
        errors = tuple(float(np.mean((at[count] - TRUTH) ** 2)) for count in counts)
        verdict = robbins_monro(schedule)
        found.append(Scheduled(name, errors, verdict.holds, verdict.reason))
    return tuple(found)


def _observations(count: int, runs: int) -> Iterator[Batch]:
    rng = np.random.default_rng(0)
    for _ in range(count):
        yield {"y": rng.normal(TRUTH, NOISE, (1, runs))}


# ── a moving target ──────────────────────────────────────────────────────────────────────────────


def _tracking(steps: int, runs: int) -> tuple[Tracking, ...]:
    """Linear regression on a stream whose truth walks away from where it was."""
    settings: tuple[tuple[str, str, dict[str, object]], ...] = (
        ("SGD, 1/(k+1) after 20", "sgd", {"rate": 0.3, "schedule": Inverse(steps=20)}),
        ("SGD, constant", "sgd", {"rate": 0.1}),
        ("SMD", "smd", {"rate": 0.1, "meta_rate": 0.05, "decay": 0.99}),
    )
    dims = 5
    problem = symopt.load(HERE / "line.sym").bind(x=np.ones((2, dims)), y=np.zeros(2))
    found = []
    for label, method, options in settings:
        distance = np.zeros(steps)
        for run in range(runs):
            truths = np.cumsum(np.random.default_rng(run).normal(0, 0.05, (steps, dims)), axis=0)
            rng = np.random.default_rng(1000 + run)
            stream = (samples(truth, 10, rng) for truth in truths)
            path = symopt.iterate(problem, method, stream=stream, options=options)
            for state in path:
                if state.status is None and state.iteration < steps:
                    there = truths[state.iteration]
                    distance[state.iteration] += np.linalg.norm(state.x - there) / runs
        found.append(Tracking(label, distance))
    return tuple(found)


# ── speed without noise ──────────────────────────────────────────────────────────────────────────

UNKNOWNS = 10


def _speeds(conditions: tuple[float, ...]) -> tuple[Speed, ...]:
    """Momentum, Nesterov, Rprop and Quickprop beside descent, on quadratics."""
    along = np.eye(UNKNOWNS)
    across = np.linalg.qr(np.random.default_rng(4).normal(size=(UNKNOWNS, UNKNOWNS)))[0]
    model = symopt.load(HERE / "bowl.sym")
    bowl = model.bind(a=np.ones(UNKNOWNS), c=np.ones(UNKNOWNS), R=along)
    found = []
    for label in ("descent", "momentum", "nesterov", "rprop", "quickprop"):
        steps = [_steps(bowl.rebind(R=along), label, condition) for condition in conditions]
        turned = _steps(bowl.rebind(R=across), label, conditions[-1])
        found.append(Speed(label, dict(zip(conditions, steps, strict=True)), turned))
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
        case "rprop":
            return "rprop", {"least": 1e-9}  # the default's last steps are as long as the goal
        case _:
            return label, {}


def _steps(bowl: symopt.Problem, label: str, condition: float) -> int | None:
    problem = bowl.rebind(a=np.geomspace(1 / condition, 1, UNKNOWNS))
    method, options = _tuned(label, condition)
    for state in symopt.iterate(problem, method, tol=0, max_iter=20_000, options=options):
        if np.linalg.norm(state.x - 1) <= 1e-6 * np.sqrt(UNKNOWNS):
            return state.iteration
    return None


# ── words ────────────────────────────────────────────────────────────────────────────────────────


def report(found: Findings) -> str:
    """The findings as tables and sentences."""
    return "\n\n".join(
        [
            "### Line searches, conjugate gradients and BFGS",
            table(
                (
                    "method",
                    "distance left, all samples",
                    "batches of 5",
                    "steps until it gives up",
                    "batches, each compared with itself",
                ),
                [
                    (n.label, f"{n.whole:.2g}", f"{n.batches:.2g}", n.steps, f"{n.consistent:.2g}")
                    for n in found.noisy
                ],
            ),
            "### Signs of successive errors",
            f"With 10 % positives, E[sign(eₜ eₜ₊₁)] at the optimum is {found.sign:.3f} "
            f"(0.01 + 0.81 − 0.18 = 0.64). {_growth_text(found.sign)}",
            table(
                (
                    "method",
                    "step size at the start",
                    "in the last fifth",
                    "place there (mean of the labels 0.1, median 0)",
                ),
                [
                    (r.method, f"{r.first:g}", f"{r.last:.3g}", f"{round(r.place, 3) + 0.0:.3f}")
                    for r in found.rates
                ],
            ),
            "### Stochastic meta-descent",
            f"v is at its fixpoint to {found.fixpoint:.1e}; with λ = 1, v·g in other coordinates "
            f"differs by {found.invariance:.1e}.",
            "### Schedules, on the mean of a stream: mean squared distance",
            table(
                (
                    "schedule",
                    *(f"{count} steps" for count in found.counts),
                    "Robbins-Monro",
                    "because",
                ),
                [
                    (
                        s.schedule,
                        *(f"{e:.2g}" for e in s.errors),
                        "yes" if s.robbins_monro else "no",
                        s.reason,
                    )
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
                (
                    "method",
                    *(f"{condition:g}" for condition in found.speeds[0].steps),
                    f"{max(found.speeds[0].steps):g}, axes turned",
                ),
                [
                    (s.label, *(n or "not reached" for n in (*s.steps.values(), s.turned)))
                    for s in found.speeds
                ],
            ),
        ]
    )


def _growth_text(sign: float) -> str:
    """What factors by sign make of a step size at the optimum, step by step."""
    agrees = (1 + sign) / 2
    rprop, silva = (1.2**agrees * shrink ** (1 - agrees) for shrink in (0.5, 0.7))
    return (
        f"There a step size that grows by the factor 1.2 and shrinks by 0.5 (Rprop) gains "
        f"{100 * (rprop - 1):.1f} % a step, one that shrinks by 0.7 (Silva and Almeida) "
        f"{100 * (silva - 1):.1f} %."
    )


def _second_half(tracking: Tracking) -> float:
    return float(tracking.distance[len(tracking.distance) // 2 : -1].mean())
