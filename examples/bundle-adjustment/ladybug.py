"""Bundle adjustment of 49 photographs of 7776 points, with the time of each part, beside SciPy's.

    OPENBLAS_NUM_THREADS=1 python examples/bundle-adjustment/ladybug.py [--no-scipy]

The model is `dubrovnik.sym`: 9 numbers a camera and 3 a point, 23769 unknowns in all. Both start
from the file's start, both get derivatives from the same compiled problem, and both are stopped
when the cost (half the sum of squares) is within 1 % of the best known one. Times are those of the
processor, which other programs do not lengthen; with one thread they are the clock's otherwise.
"""

from __future__ import annotations

import argparse
import cProfile
import gzip
import pstats
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from scipy.optimize import least_squares

import symopt

HERE = Path(__file__).parent
BEST = 13344.24032  # the lowest cost that is known
NEAR = 1.01 * BEST
PATIENCE = 300.0  # seconds that SciPy gets

# The parts of a run, by the functions that do them.
PARTS = {
    "Gauss-Newton matrix": ("working.py", "gauss_newton_sparse"),
    "gradient": ("working.py", "grad"),
    "values": ("working.py", "value"),
    "choice of the elimination": ("blocks.py", "find_elimination"),
    "elimination": ("schur.py", "eliminate"),
    "reduced system": ("schur.py", "solve_reduced"),
    "back substitution": ("schur.py", "back_substitute"),
}


def read(path: Path) -> dict[str, np.ndarray]:
    """The data of a file of Bundle Adjustment in the Large."""
    with gzip.open(path, "rt") as file:
        cameras, points, sights = map(int, file.readline().split())
        numbers = np.array(file.read().split(), dtype=float)
    table = numbers[: 4 * sights].reshape(sights, 4)
    starts = numbers[4 * sights :]
    return {
        "cam": table[:, 0].astype(int),
        "pt": table[:, 1].astype(int),
        "u": table[:, 2],
        "v": table[:, 3],
        "camera_start": starts[: 9 * cameras].reshape(cameras, 9),
        "point_start": starts[9 * cameras :].reshape(points, 3),
    }


def timed(function: Callable[..., Any], *args: Any) -> float:
    """The seconds that a call takes."""
    began = process_time()
    function(*args)
    return process_time() - began


def fit(problem: symopt.Problem) -> None:
    """Our run, and where its time went."""
    profile, began = cProfile.Profile(process_time), process_time()
    profile.enable()
    for at in symopt.iterate(problem, "lm"):
        print(f"{at.iteration:4d}  cost {at.fun / 2:12.2f}  {process_time() - began:7.2f} s")
        if at.fun / 2 <= NEAR:
            break
    profile.disable()
    print(at.state.remark)
    spent = {
        (Path(file).name, name): (calls, seconds)
        for (file, _, name), (_, calls, _, seconds, _) in pstats.Stats(profile).stats.items()
    }
    for part, function in PARTS.items():
        calls, seconds = spent[function]
        print(f"  {part:26s} {calls:3d} calls  {seconds:7.3f} s")


class Near(Exception):
    """SciPy has come near enough, or has had its time."""


def fit_with_scipy(problem: symopt.Problem) -> None:
    """SciPy's run: the file's start, our residuals and our sparse Jacobian."""
    began, best, evaluations = process_time(), np.inf, 0

    def residuals(p: np.ndarray) -> np.ndarray:
        nonlocal best, evaluations
        found = problem.residuals(p)
        cost, seconds = float(found @ found) / 2, process_time() - began
        evaluations += 1
        if cost < best:
            best = cost
            print(f"{evaluations:4d}  cost {cost:12.2f}  {seconds:7.2f} s")
        if cost <= NEAR or seconds > PATIENCE:
            raise Near
        return found

    with suppress(Near):
        least_squares(
            residuals,
            problem.x0,
            jac=problem.jac_sparse,
            method="trf",
            x_scale="jac",
            tr_solver="lsmr",
        )
    reached = "within 1 %" if best <= NEAR else f"{100 * (best / BEST - 1):.1f} % above"
    print(f"{reached} after {evaluations} evaluations and {process_time() - began:.1f} s")


def main() -> None:
    """Print both runs."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--no-scipy", action="store_true", help="leave SciPy's run out")
    given = arguments.parse_args()
    began = process_time()
    problem = symopt.load(HERE / "dubrovnik.sym").bind(read(HERE / "ladybug.txt.gz"))
    print(f"read and bound in {process_time() - began:.2f} s: {problem.n} unknowns")
    functions = ("value", "residuals", "grad", "jac_sparse", "gauss_newton_sparse")
    for name in functions:
        function = getattr(problem, name)
        first, again = timed(function, problem.x0), timed(function, problem.x0)
        print(f"  {name:20s} first {first:6.3f} s (compiling, or loading), then {again:8.5f} s")
    print("symopt, lm")
    fit(problem)
    if not given.no_scipy:
        print("SciPy, least_squares(method='trf', x_scale='jac', tr_solver='lsmr')")
        fit_with_scipy(problem)


if __name__ == "__main__":
    main()
