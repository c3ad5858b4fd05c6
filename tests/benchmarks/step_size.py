"""The error of derivatives by complex steps and by central differences, against the step.

    python -m tests.benchmarks.step_size

writes docs/benchmarks/step-size.md and step-size.svg. The compiled gradient is the reference;
complex steps and differences are of the NumPy evaluator's values. Drawing needs matplotlib.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from symopt.problem import Problem
from tests.oracles.test_every_program import MAKERS
from tests.support.oracle import Oracle

PROGRAMS = {
    "examples/nist/rat42": "sigmoidal growth (NIST Rat42)",
    "examples/mixture/iris": "Gaussian mixture on the irises",
    "examples/softmax/iris": "softmax regression on the irises",
}
EXPONENTS = np.arange(-60, 0)  # steps are powers of two
COMPLEX = np.concatenate([np.arange(-1000, -60, 20), EXPONENTS])
DOCS = Path(__file__).parents[2] / "docs" / "benchmarks"


@dataclass(frozen=True)
class Curve:
    """Relative errors of a directional derivative, one for each step."""

    steps: np.ndarray
    errors: np.ndarray

    @property
    def best(self) -> tuple[float, float]:
        """The least error, and its step."""
        k = int(np.argmin(self.errors))
        return float(self.errors[k]), float(self.steps[k])


def complex_steps(function: Callable[[np.ndarray], complex], p: np.ndarray, v: np.ndarray) -> Curve:
    """Im f(p + i h v) / h: no difference, so nothing cancels however small h is."""
    steps = 2.0**COMPLEX
    return Curve(steps, np.array([np.imag(function(p + 1j * h * v)) / h for h in steps]))


def central(function: Callable[[np.ndarray], complex], p: np.ndarray, v: np.ndarray) -> Curve:
    """(f(p + h v) - f(p - h v)) / 2h: truncation error h², rounding error ε/h."""
    steps = 2.0**EXPONENTS
    found = [(function(p + h * v) - function(p - h * v)) / (2 * h) for h in steps]
    return Curve(steps, np.real(found))


def curves(problem: Problem, p: np.ndarray, scale: np.ndarray) -> dict[str, Curve]:
    """The errors along one direction, in units of the parameters."""
    oracle = Oracle(problem)
    v = scale * np.random.default_rng(1).normal(size=len(p))
    wanted = float(problem.grad(p) @ v)

    def error(curve: Curve) -> Curve:
        return Curve(curve.steps, np.abs(curve.errors - wanted) / abs(wanted))

    return {
        "complex step": error(complex_steps(oracle.value, p, v)),
        "central difference": error(central(oracle.value, p, v)),
    }


def table(found: dict[str, dict[str, Curve]]) -> str:
    """The best step of each method, and the complex step's error at 2⁻⁵⁰ and below."""
    lines = [
        "| program | central difference: least error | at step | complex step at 2⁻⁵⁰ "
        "| largest below |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, by_method in found.items():
        error, step = by_method["central difference"].best
        ours = by_method["complex step"]
        small = ours.errors[ours.steps <= 2.0**-50]
        at = ours.errors[ours.steps == 2.0**-50][0]
        lines.append(
            f"| {PROGRAMS[name]} | {error:.1e} | {step:.1e} | {at:.1e} | {small.max():.1e} |"
        )
    return "\n".join(lines)


PAGE = """# Derivative error against step size

How far two ways of measuring a derivative are from the compiled gradient, along one direction, by
the size of the step. Made by `python -m tests.benchmarks.step_size`.

![Error against step size](step-size.svg)

{table}

A central difference is wrong by its truncation, which falls with h², and by the rounding of the
two values, which grows with 1/h: its best is some ten digits, at a step that depends on the
program. A complex step subtracts nothing. Below 10⁻⁸ or so its truncation, too, is under rounding,
and it stays so down to the smallest numbers. That is why tests judge first derivatives by complex
steps with 10⁻⁴⁰, to a few roundings, and second derivatives by differences of these, to 10⁻¹⁰.
"""


def draw(found: dict[str, dict[str, Curve]], path: Path) -> None:
    """One panel per program, on logarithmic axes."""
    # Not among the tools of development: only the page needs it.
    import matplotlib  # pyright: ignore[reportMissingImports]
    from matplotlib.figure import Figure  # pyright: ignore[reportMissingImports]

    matplotlib.rcParams |= {"svg.hashsalt": "step-size", "svg.fonttype": "none"}
    figure = Figure(figsize=(11, 3.4))
    axes = figure.subplots(1, len(found), sharey=True)
    for axis, (name, by_method) in zip(axes, found.items(), strict=True):
        for method, curve in by_method.items():
            near = curve.steps >= 2.0**-60
            axis.loglog(curve.steps[near], np.maximum(curve.errors[near], 1e-17), label=method)
        axis.set_title(PROGRAMS[name], fontsize=9)
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("relative error")
    axes[0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def measure() -> dict[str, dict[str, Curve]]:
    """The curves of all programs."""
    return {name: curves(*MAKERS[name]()) for name in PROGRAMS}


if __name__ == "__main__":
    measured = measure()
    (DOCS / "step-size.md").write_text(PAGE.format(table=table(measured)), encoding="utf-8")
    draw(measured, DOCS / "step-size.svg")
