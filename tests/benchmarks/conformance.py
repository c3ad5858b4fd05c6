"""Every deterministic descent method, and SciPy's, on the published problems.

    python -m tests.benchmarks.conformance

writes docs/benchmarks/conformance.md.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.optim.conformance.counting import Tally, ours, scipy_least_squares, scipy_minimize
from tests.optim.conformance.duties import descents, duty
from tests.optim.conformance.problems import Case, least_squares_cases

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "conformance.md"
MOST = 2_000  # iterations; what a method with a linear rate does not reach, it does not reach
Solver = Callable[[Case], Tally | None]
PEERS: dict[str, Solver] = {
    "SciPy least_squares lm": lambda case: scipy_least_squares(case, "lm"),
    "SciPy least_squares trf": lambda case: scipy_least_squares(case, "trf"),
    "SciPy least_squares lm, 1e-15": lambda case: scipy_least_squares(case, "lm", 1e-15),
    "SciPy least_squares trf, 1e-15": lambda case: scipy_least_squares(case, "trf", 1e-15),
    "SciPy BFGS": lambda case: scipy_minimize(case, "BFGS", tight=False),
    "SciPy BFGS, 1e-9": lambda case: scipy_minimize(case, "BFGS"),
    "SciPy L-BFGS-B": lambda case: scipy_minimize(case, "L-BFGS-B", tight=False),
    "SciPy L-BFGS-B, 1e-9": lambda case: scipy_minimize(case, "L-BFGS-B"),
    "SciPy CG": lambda case: scipy_minimize(case, "CG", tight=False),
    "SciPy CG, 1e-9": lambda case: scipy_minimize(case, "CG"),
}
HEAD = f"""\
# Conformance: published problems

The 21 sums of squares of Moré, Garbow and Hillstrom (24 with all sizes), from the standard starts
and from ten times these. Written by `python -m tests.benchmarks.conformance`; all runs with
defaults, except for at most {MOST} iterations.

A run *reaches* a minimum where it ends within 1e-4 of a published value, or below 1e-12 where that
is zero; published local minima and limits at infinity count. *There* is what it evaluated until it
was first that near to the minimum it ends in; *in all*, until it stopped by itself. Values are
evaluations of the objective or of the residuals, gradients those of the gradient or the Jacobian.
Sums are over the problems that the method reaches, so that they compare only between methods that
reach as many. SciPy's own tolerances (1e-8; 1e-5 for the gradient) let it stop earlier than ours,
which go on to the accuracy of floating point.
"""


def main() -> None:
    """Runs everything and writes the page."""
    solvers = {method.name: _solver(method.name) for method in descents()} | PEERS
    parts = [HEAD]
    for factor, title in ((1.0, "Standard starts"), (10.0, "Ten times the standard starts")):
        cases = least_squares_cases(factor)
        found = {name: [solve(case) for case in cases] for name, solve in solvers.items()}
        parts += [f"## {title}\n", _totals(found), "### By problem\n", _matrix(cases, found)]
    parts += ["## What is asked of each method\n", _duties()]
    text = "\n".join(parts)
    PAGE.write_text(text, encoding="utf-8")
    print(text)


def _solver(name: str) -> Solver:
    return lambda case: ours(case, name, MOST)


def _totals(found: dict[str, list[Tally | None]]) -> str:
    lines = [
        "| method | reached | values there | gradients there | values in all | gradients in all |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for name, tallies in found.items():
        good = [tally for tally in tallies if tally is not None and tally.reached]
        there = [(t.values_there or 0, t.gradients_there or 0) for t in good]
        lines.append(
            f"| {name} | {len(good)} | {sum(v for v, _ in there)} | {sum(g for _, g in there)} "
            f"| {sum(t.values for t in good)} | {sum(t.gradients for t in good)} |"
        )
    return "\n".join(lines) + "\n"


def _matrix(cases: tuple[Case, ...], found: dict[str, list[Tally | None]]) -> str:
    """Values until the minimum, by problem and method."""
    lines = [
        "Values until there; · where no published minimum is reached, – where a method refuses.\n",
        "| problem | " + " | ".join(found) + " |",
        "| --- |" + " --: |" * len(found),
    ]
    for index, case in enumerate(cases):
        cells = (_cell(tallies[index]) for tallies in found.values())
        lines.append(f"| {case.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(tally: Tally | None) -> str:
    if tally is None:
        return "–"
    return str(tally.values_there) if tally.reached else "·"


def _duties() -> str:
    """From the standard starts, and why not everything."""
    cases = least_squares_cases()
    lines = ["| method | problems | why not all |", "| --- | --: | --- |"]
    for method in descents():
        asked = duty(method)
        count = sum(asked.includes(case) for case in cases)
        lines.append(f"| {method.name} | {count} | {asked.reason} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
