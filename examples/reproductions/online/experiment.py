"""A network of 180,000 weights that learns online from turbulence as it is computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from time import process_time

import numpy as np

import symopt
from examples.reproductions.online.flow import Array, Flow
from examples.reproductions.page import table

HERE = Path(__file__).parent
FLOW = Flow()
LEARNING, TESTING = 1, 2  # seeds of the flows


@dataclass(frozen=True, slots=True)
class Rule:
    """A method with its options."""

    method: str
    options: Mapping[str, object] = field(default_factory=dict[str, object])


RULES = (
    Rule("sgd", {"rate": 4.0}),
    Rule("smd", {"rate": 4.0, "meta_rate": 2e4}),
    Rule("adam", {"rate": 1e-3}),
)


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What a rule made of the stream; losses are relative to the variance of the flow."""

    rule: Rule
    losses: Array  # of each batch, before the network learns from it
    tested: float  # on flows that it has not seen
    pattern: float  # processor time of learning one [ms], without that of the flow


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """The size of the network, the runs, and the loss of saying that nothing will change."""

    weights: int
    persistence: float
    linear: float  # the loss of the best linear map, fitted to as many patterns
    learned: tuple[Learned, ...]


def measure(quick: bool) -> Findings:
    """Each rule on the same stream."""
    count = 40 if quick else 1000
    test = list(islice(FLOW.stream(TESTING), 5 if quick else 40))
    now, later = (np.concatenate([batch[name] for batch in test]) for name in ("now", "later"))
    variance = float(later.var())
    problem = symopt.load(HERE / "network.sym").bind(test[0])
    judge = problem.rebind(now=now, later=later)
    rules = RULES[:2] if quick else RULES
    return Findings(
        problem.n,
        float(np.mean((later - now) ** 2)) / variance,
        _linear(count, now, later) / variance,
        tuple(_learn(problem, judge, rule, count, variance) for rule in rules),
    )


def _learn(
    problem: symopt.Problem, judge: symopt.Problem, rule: Rule, count: int, variance: float
) -> Learned:
    _warmed(problem, rule)
    clock = _Clock()
    began = process_time()
    result = symopt.minimize(
        problem,
        rule.method,
        x0=problem.start(0),
        stream=clock.timed(islice(FLOW.stream(LEARNING), count)),
        max_iter=count,
        tol=0,
        options=rule.options,
    )
    spent = process_time() - began - clock.spent
    return Learned(
        rule,
        result.trace["value"] / variance,
        judge.value(result.x) / variance,
        1000 * spent / (len(result.trace) * FLOW.flows),
    )


def _warmed(problem: symopt.Problem, rule: Rule) -> None:
    """What is compiled on first use is no part of the times."""
    zeros = {
        "now": np.zeros((FLOW.flows, FLOW.places)),
        "later": np.ones((FLOW.flows, FLOW.places)),
    }
    symopt.minimize(problem, rule.method, stream=[zeros] * 3, options=rule.options)


@dataclass(slots=True)
class _Clock:
    """The processor time that an iterator takes to give its items."""

    spent: float = 0.0

    def timed(self, items: Iterator[dict[str, Array]]) -> Iterator[dict[str, Array]]:
        while True:
            began = process_time()
            item = next(items, None)
            self.spent += process_time() - began
            if item is None:
                return
            yield item


def _linear(count: int, now: Array, later: Array) -> float:
    """The mean squared error, on the test patterns, of the best linear map on the others."""
    size = FLOW.places
    gram, cross = 1e-6 * np.eye(size), np.zeros((size, size))
    for batch in islice(FLOW.stream(LEARNING), count):
        gram += batch["now"].T @ batch["now"]
        cross += batch["now"].T @ batch["later"]
    return float(np.mean((later - now @ np.linalg.solve(gram, cross)) ** 2))


def report(found: Findings) -> str:
    """What was reached, and at what cost."""
    patterns = len(found.learned[0].losses) * FLOW.flows
    rows = [
        (
            f"`{one.rule.method}`",
            ", ".join(f"{name} {value:g}" for name, value in one.rule.options.items()),
            f"{_early(one, patterns // 10):.3f}",
            f"{one.losses[-50:].mean():.3f}",
            f"{one.tested:.3f}",
            f"{one.pattern:.2f} ms",
        )
        for one in found.learned
    ]
    head = (
        "method",
        "options",
        f"loss around pattern {patterns // 10:,}",
        "in the last 800",
        "on other flows",
        "time a pattern",
    )
    return (
        f"{found.weights:,} weights, {patterns:,} patterns, each met once. Losses are relative to "
        f"the variance of the flow: that of no change is {found.persistence:.3f}, that of the "
        f"best linear map {found.linear:.3f}.\n\n{table(head, rows)}"
    )


def _early(one: Learned, patterns: int) -> float:
    place = patterns // FLOW.flows
    return float(one.losses[max(place - 25, 0) : place + 25].mean())
