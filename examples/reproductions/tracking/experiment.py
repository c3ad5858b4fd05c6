"""Hand tracking by stochastic meta-descent on a few points drawn at random for each step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from time import process_time

import numpy as np
from numpy.typing import NDArray

import symopt
from examples.reproductions.page import table
from examples.reproductions.tracking.sequence import Array, Frame, bind, frames, load_hand

MILLIMETRES = 100.0  # in a decimetre
SETTLING = 5  # frames from the true posture on that are not counted
TARGETS = (4.0, 2.0, 1.0)  # mean distances from the true skin, in mm


@dataclass(frozen=True, slots=True, eq=False)
class Tracker:
    """A method, and how much of it there is for each frame: steps, or iterations at most."""

    label: str
    method: str
    budgets: tuple[int, ...]
    options: Mapping[str, object] = field(default_factory=dict[str, object])
    drawn: int | None = None  # points of each step, for stochastic trackers
    thinned: int | None = None  # points that a deterministic tracker keeps of a frame
    passes: int = 1  # over its points in a step: the gradient, and the Hessian product of SMD


META = {"rate": 0.2, "meta_rate": 100.0, "decay": 0.98, "product": "gauss-newton"}
BOLD = {"damping": 1e-3}
TRACKERS = (
    Tracker("SMD, 16 points a step", "smd", (12, 25, 50, 100), META, 16, None, 2),
    Tracker("SGD, 16 points a step", "sgd", (25, 50, 100, 200), {"rate": 0.1}, 16),
    Tracker("gradient descent, all points", "gradient-descent", (4, 8, 16, 32)),
    Tracker("BFGS, all points", "bfgs", (8, 16, 32)),
    Tracker("Levenberg-Marquardt, all points", "lm", (1, 2, 3), BOLD),
    Tracker("Levenberg-Marquardt, 100 points", "lm", (1, 2, 4, 8), BOLD, None, 100),
)


@dataclass(frozen=True, slots=True)
class Run:
    """What a tracker achieved with one budget, per frame."""

    budget: int
    error: float  # mean distance from the true skin [mm]
    worst: float  # the same of its worst frame [mm]
    points: float  # evaluated
    time: float  # of the processor [ms]


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """The runs of each tracker, and how far the skin moves from frame to frame [mm]."""

    motion: float
    seen: int  # points of a frame
    runs: Mapping[Tracker, tuple[Run, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """The frames, a tracker's problem on the first, and the means to judge a posture."""

    frames: tuple[Frame, ...]
    problem: symopt.Problem
    skin: symopt.Problem  # its vertices
    scale: Array  # of each unknown: what moves the skin by 1

    def error(self, posture: Array, frame: Frame) -> float:
        found = self.skin.eval("hand", posture)
        return MILLIMETRES * float(np.linalg.norm(found - frame.truth, axis=1).mean())


def measure(quick: bool) -> Findings:
    """All trackers with all their budgets; few of these if quick."""
    sequence = prepare(count=15 if quick else 40, points=2000)
    moves = zip(sequence.frames, sequence.frames[1:], strict=False)
    motion = np.mean([np.linalg.norm(a.truth - b.truth, axis=1).mean() for a, b in moves])
    for tracker in TRACKERS:  # what is compiled on first use is no part of the times
        track(
            replace(sequence, frames=sequence.frames[: SETTLING + 1]), tracker, tracker.budgets[0]
        )
    runs = {
        tracker: tuple(
            track(sequence, tracker, budget)
            for budget in (tracker.budgets[1:3] if quick else tracker.budgets)
        )
        for tracker in TRACKERS
    }
    return Findings(MILLIMETRES * float(motion), len(sequence.frames[0].data["pull"]), runs)


def prepare(count: int, points: int) -> Sequence:
    """A sequence of frames with that many measured points each."""
    hand = load_hand()
    seen = frames(hand, count, points)
    problem = bind(hand, seen[0].data)
    skin = bind(hand, {"pull": hand.vertices, "measured": seen[0].truth})
    # The model alone says how far an unknown moves the skin; the size of an angle does not.
    curvature = np.diag(skin.gauss_newton(seen[0].posture)[0]) / 2
    return Sequence(seen, problem, skin, 1 / np.sqrt(curvature))


def track(sequence: Sequence, tracker: Tracker, budget: int) -> Run:
    """Follow the whole sequence."""
    follow = _stochastically if tracker.drawn else _frame_by_frame
    began = process_time()
    postures, points = follow(sequence, tracker, budget)
    spent = process_time() - began
    judged = list(zip(postures, sequence.frames, strict=True))[SETTLING:]
    errors = [sequence.error(posture, frame) for posture, frame in judged]
    count = len(sequence.frames)
    return Run(budget, float(np.mean(errors)), max(errors), points / count, 1000 * spent / count)


def _stochastically(sequence: Sequence, tracker: Tracker, steps: int) -> tuple[list[Array], float]:
    """One run over all frames: what a method has learned of its step sizes stays."""
    assert tracker.drawn is not None
    visited: list[Array] = []
    symopt.minimize(
        sequence.problem,
        tracker.method,
        x0=sequence.frames[0].posture,
        stream=_draws(sequence.frames, tracker.drawn, steps),
        max_iter=len(sequence.frames) * steps,
        tol=0,
        scale=sequence.scale,
        callback=visited.append,
        options=tracker.options,
    )
    # The iterate that meets the first points of the next frame has used all of this one's.
    ends = [min(steps * (number + 1), len(visited)) - 1 for number in range(len(sequence.frames))]
    points = len(sequence.frames) * steps * tracker.drawn * tracker.passes
    return [visited[end] for end in ends], points


def _draws(seen: tuple[Frame, ...], drawn: int, steps: int) -> Iterator[dict[str, Array]]:
    chance = np.random.default_rng(1)
    for frame in seen:
        for _ in range(steps):
            yield _some(frame.data, chance.integers(0, len(frame.data["pull"]), drawn))


def _some(data: Mapping[str, Array], rows: NDArray[np.integer]) -> dict[str, Array]:
    return {name: array[rows] for name, array in data.items()}


def _frame_by_frame(
    sequence: Sequence, tracker: Tracker, iterations: int
) -> tuple[list[Array], float]:
    """A minimization for each frame from where the last one ended."""
    chance = np.random.default_rng(1)
    posture, found, points = sequence.frames[0].posture, [], 0.0
    for frame in sequence.frames:
        data = frame.data
        if tracker.thinned:
            data = _some(data, chance.integers(0, len(data["pull"]), tracker.thinned))
        result = symopt.minimize(
            sequence.problem.batch_of(data),
            tracker.method,
            x0=posture,
            max_iter=iterations,
            scale=sequence.scale,
            options=tracker.options,
        )
        posture = result.x
        found.append(posture)
        points += max(result.nfev, result.njev) * len(data["pull"])
    return found, points


def cheapest(runs: tuple[Run, ...], target: float) -> Run | None:
    """The run with the fewest points among those good enough."""
    return min((r for r in runs if r.error <= target), key=lambda r: r.points, default=None)


def report(found: Findings) -> str:
    """Points and time of a frame for each error that a tracker is to reach."""
    rows = [
        (tracker.label, *(_needs(cheapest(runs, target)) for target in TARGETS), _best(runs))
        for tracker, runs in found.runs.items()
    ]
    reached = table(("tracker", *(f"to {target:g} mm" for target in TARGETS), "best"), rows)
    return (
        f"{found.seen} points seen of each frame; from one to the next the skin moves "
        f"{found.motion:.1f} mm.\nPoints evaluated and processor time, per frame, for a mean error:"
        f"\n\n{reached}"
    )


def _needs(run: Run | None) -> str:
    return f"{run.points:,.0f} points, {run.time:.1f} ms" if run else "not reached"


def _best(runs: tuple[Run, ...]) -> str:
    return f"{min(run.error for run in runs):.2f} mm"
