""" "2 or not 2", and all ten digits: one network each, learned in several ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time

import numpy as np
from numpy.typing import NDArray

import symopt
from examples.reproductions.page import table

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1]
SEED = 1
BATCH = 32


@dataclass(frozen=True, slots=True)
class Rule:
    """A method with its options and how many passes over the data, or iterations, it may take."""

    method: str
    limit: int
    options: Mapping[str, object] = field(default_factory=dict[str, object])
    batches: bool = False


TWO = (
    Rule("gradient-descent", 200),
    Rule("momentum", 200, {"rate": 0.2, "momentum": 0.9}),
    Rule("bfgs", 100),
    Rule("lm", 12, {"damping": 1.0}),
    Rule("newton-krylov", 30),
    Rule("sgd", 30, {"rate": 0.3}, True),
    Rule("adam", 30, {"rate": 3e-3}, True),
    Rule("smd", 30, {"rate": 0.3, "meta_rate": 1.0}, True),
)
TEN = (
    Rule("gradient-descent", 200),
    Rule("momentum", 200, {"rate": 0.2, "momentum": 0.9}),
    Rule("newton-krylov", 60),
    Rule("sgd", 30, {"rate": 0.3}, True),
    Rule("adam", 30, {"rate": 3e-3}, True),
    Rule("smd", 30, {"rate": 0.3, "meta_rate": 1.0}, True),
)


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Images of digits: 64 counts of 0 to 16 each, and what they show."""

    X: NDArray[np.float64]
    digit: NDArray[np.intp]

    @property
    def data(self) -> dict[str, NDArray[np.float64] | NDArray[np.intp]]:
        return {"X": self.X, "digit": self.digit}


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What a rule made of a network."""

    rule: Rule
    weights: NDArray[np.float64]
    trace: NDArray[np.void]
    steps_a_pass: int
    time: float  # of the processor [s]
    loss: float  # of all training images
    trained: float  # accuracy on the images it learned from
    tested: float  # accuracy on the others


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A network, and what each rule made of it."""

    title: str
    unknowns: int
    learned: tuple[Learned, ...]


def images() -> tuple[Images, Images]:
    """3823 to learn from, of 30 people, and 1797 for the test, of 13 others."""
    train = np.load(EXAMPLES / "data" / "digits_train.npz")
    test = np.loadtxt(EXAMPLES / "data" / "digits.csv", delimiter=",", skiprows=1)
    return (
        Images(train["X"].astype(float), train["digit"].astype(np.intp)),
        Images(test[:, :-1], test[:, -1].astype(np.intp)),
    )


def measure(quick: bool) -> tuple[Task, Task]:
    """Both networks; with a few rules and passes if quick."""
    return (
        _task("2 or not 2, network 64-4-1", HERE / "two.sym", TWO, quick),
        _task("all ten, network 64-32-10", EXAMPLES / "mlp" / "digits.sym", TEN, quick),
    )


def _task(title: str, program: Path, rules: tuple[Rule, ...], quick: bool) -> Task:
    train, test = images()
    problem = symopt.load(program).bind(train.data)
    judge = problem.rebind(test.data)
    if quick:
        rules = tuple(_shortened(rule) for rule in rules if rule.method in ("adam", "lm"))
    return Task(title, problem.n, tuple(_learn(problem, judge, rule) for rule in rules))


def _shortened(rule: Rule) -> Rule:
    return Rule(rule.method, max(3, rule.limit // 4), rule.options, rule.batches)


def _learn(problem: symopt.Problem, judge: symopt.Problem, rule: Rule) -> Learned:
    steps = -(-problem.samples // BATCH) if rule.batches else 1
    began = process_time()
    result = symopt.minimize(
        problem,
        rule.method,
        seed=SEED,
        max_iter=steps * rule.limit,
        batch_size=BATCH if rule.batches else None,
        options=rule.options,
    )
    spent = process_time() - began
    return Learned(
        rule,
        result.x,
        result.trace,
        steps,
        spent,
        problem.value(result.x),
        float(problem.eval("accuracy", result.x)),
        float(judge.eval("accuracy", result.x)),
    )


def report(found: tuple[Task, Task]) -> str:
    """A table for each network."""
    head = (
        "method",
        "passes or iterations",
        "time [s]",
        "loss",
        "right, learned from",
        "right, test",
    )
    return "\n\n".join(
        f"{task.title}, {task.unknowns} weights:\n\n"
        + table(head, [_row(learned) for learned in task.learned])
        for task in found
    )


def _row(learned: Learned) -> tuple[str, ...]:
    passes = (len(learned.trace) - 1) / learned.steps_a_pass
    batches = f", batches of {BATCH}" if learned.rule.batches else ""
    return (
        f"`{learned.rule.method}`{batches}",
        f"{passes:.0f}",
        f"{learned.time:.1f}",
        f"{learned.loss:.4f}",
        f"{learned.trained:.2%}",
        f"{learned.tested:.2%}",
    )
