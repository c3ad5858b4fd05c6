"""ADBench's Gaussian mixture and bundle adjustment against its published values.

Everything is asked of the statements in the NumPy evaluator, which proves the calculus alone, and
of the native functions.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symopt
from symopt.derive.functions import derive
from symopt.problem import Problem
from symopt.statements.verify import verify
from tests.support.oracle import STEP, Oracle, error

TESTS = Path(__file__).parents[1]
DATA = TESTS / "data" / "adbench"
REFERENCES = json.loads((DATA / "reference_values.json").read_text(encoding="utf-8"))
PUBLISHED, COMPUTED = REFERENCES["published"], REFERENCES["computed"]
# ADBench rounds pi to 12 digits and the references were computed in double precision themselves.
TOLERANCE = 1e-11

Function = Callable[..., np.ndarray]


@functools.cache
def _model(name: str) -> symopt.Model:
    return symopt.load(TESTS / "programs" / "adbench" / f"{name}.sym")


def _numbers(path: str) -> list[float]:
    return [float(word) for word in (DATA / path).read_text(encoding="utf-8").split()]


def _evaluator(problem: Problem) -> Callable[[str], Function]:
    """Functions by name, computed by NumPy from their statements."""
    oracle = Oracle(problem)

    def pick(name: str) -> Function:
        program = verify(derive(problem.model.stages.task, name))
        return lambda p, *args: oracle.function(program, p, *args)

    return pick


def _native(problem: Problem) -> Callable[[str], Function]:
    return lambda name: getattr(problem, name)


ways = pytest.mark.parametrize("way", [_evaluator, _native], ids=["evaluator", "native"])

# ── the Gaussian mixture ─────────────────────────────────────────────────────────────────────


@functools.cache
def _mixture(path: str) -> tuple[Problem, np.ndarray]:
    numbers = _numbers(path)
    d, k, n = (int(number) for number in numbers[:3])
    q = d + d * (d - 1) // 2
    sizes = (k, k * d, k * q, n * d, 2)
    alpha, mu, factor, x, prior = np.split(np.array(numbers[3:]), np.cumsum(sizes)[:-1])
    factor = factor.reshape(k, q)
    columns, rows = np.triu_indices(d, 1)  # entries below the diagonal, column by column
    lower = np.zeros((k, d, d))
    lower[:, rows, columns] = factor[:, d:]
    problem = _model("gmm").bind(x=x.reshape(n, d), gamma=prior[0], m=prior[1], K=k)
    values = {"alpha": alpha, "mu": mu.reshape(k, d), "q": factor[:, :d], "l": lower}
    return problem, problem.pack(values)


def _in_published_order(problem: Problem, flat: np.ndarray) -> np.ndarray:
    """What belongs to each unknown, in the order of ADBench's flat vector."""
    parts = problem.unpack(np.ravel(flat))
    columns, rows = np.triu_indices(problem.dims["d"], 1)
    factor = np.hstack([parts["q"], parts["l"][:, rows, columns]])
    return np.concatenate([parts["alpha"], parts["mu"].ravel(), factor.ravel()])


@ways
def test_mixture_has_the_published_value_and_gradient(way: Any) -> None:
    problem, p = _mixture("gmm/test.txt")
    wanted, functions = PUBLISHED["gmm/test.txt"], way(problem)
    assert error(np.ravel(functions("value")(p)), [wanted["objective"]]) < TOLERANCE
    gradient = _in_published_order(problem, functions("grad")(p))
    assert error(gradient, wanted["gradient"]) < TOLERANCE


@ways
@pytest.mark.parametrize("name", ["gmm_d2_K5", "gmm_d2_K25", "gmm_d10_K5"])
def test_mixture_has_the_computed_value_and_gradient(way: Any, name: str) -> None:
    problem, p = _mixture(f"gmm/{name}.txt")
    wanted, functions = COMPUTED["gmm"][f"gmm/1k/{name}.txt"], way(problem)
    gradient = _in_published_order(problem, functions("grad")(p))
    norm = wanted["gradient_norm2"]
    assert len(p) == wanted["n_params"]
    assert error(np.ravel(functions("value")(p)), [wanted["objective"]]) < TOLERANCE
    assert abs(np.linalg.norm(gradient) - norm) < TOLERANCE * norm
    assert np.abs(gradient[:10] - wanted["gradient_first10"]).max() < TOLERANCE * norm
    assert np.abs(gradient[-10:] - wanted["gradient_last10"]).max() < TOLERANCE * norm


@ways
def test_mixture_has_the_second_derivatives_of_complex_steps(way: Any) -> None:
    problem, p = _mixture("gmm/test.txt")
    functions, oracle = way(problem), Oracle(problem)
    v = np.cos(np.arange(len(p)))
    product = oracle.hessian_product(p, v)
    assert error(np.reshape(functions("hess")(p), (len(p), len(p))) @ v, product) < 1e-10
    assert error(functions("hvp")(p, v), product) < 1e-10


# ── bundle adjustment ────────────────────────────────────────────────────────────────────────


@functools.cache
def _bundle(path: str) -> tuple[Problem, np.ndarray]:
    numbers = _numbers(path)
    n, m, p = (int(number) for number in numbers[:3])
    camera, point, weight, feature = np.split(np.array(numbers[3:]), [11, 14, 15])
    observation = np.arange(p)
    problem = _model("ba").bind(
        cam=observation % n, pt=observation % m, feature=np.tile(feature, (p, 1)), n=n, m=m
    )
    start = {"camera": np.tile(camera, (n, 1)), "point": np.tile(point, (m, 1))}
    return problem, problem.pack({**start, "w": np.full(p, weight[0])})


@ways
def test_bundle_has_the_published_residuals_and_jacobian(way: Any) -> None:
    problem, p = _bundle("ba/test.txt")
    wanted, functions = PUBLISHED["ba/test.txt"], way(problem)
    found = np.asarray(functions("residuals")(p))
    errors, weights = found[:20].reshape(10, 2), found[20:]
    # The published residuals have 12 digits of numbers 2000 times their size.
    expected = np.tile(wanted["reproj_err_per_obs"], (10, 1))
    assert np.abs(errors - expected).max() < 1e-12 * 525
    assert error(weights, np.full(10, wanted["w_err_per_obs"])) < 1e-12
    jacobian = np.reshape(functions("jac")(p), (30, 22 + 30 + 10))
    block = np.reshape(wanted["jacobian_block_2x15_row_major"], (2, 15))
    cameras, points, own = np.split(jacobian, [22, 52], axis=1)
    for k in range(10):
        rows = slice(2 * k, 2 * k + 2)
        joined = np.hstack(
            [
                cameras.reshape(30, 2, 11)[rows, k % 2],
                points.reshape(30, 10, 3)[rows, k],
                own[rows, k, None],
            ]
        )
        assert error(joined, block) < TOLERANCE
    assert error(np.diag(own[20:]), np.full(10, wanted["dw_err_dw"])) < 1e-12
    assert np.count_nonzero(jacobian) <= 10 * (30 + 1)


@ways
@pytest.mark.parametrize("name", ["test", "ba1_n49_m7776_p31843"])
def test_bundle_has_the_computed_sum_of_squares(way: Any, name: str) -> None:
    problem, p = _bundle(f"ba/{name}.txt")
    wanted, functions = COMPUTED["ba"][f"ba/{name}.txt"], way(problem)
    assert error(np.ravel(functions("value")(p)), [wanted["sum_squares"]]) < TOLERANCE
    first = np.asarray(functions("residuals")(p))[:2]
    assert np.abs(first - wanted["reproj_err_per_obs"]).max() < 1e-12 * 834
    gradient, v = functions("grad")(p), np.cos(np.arange(len(p)))
    along = np.imag(Oracle(problem).value(p + 1j * STEP * v)) / STEP
    assert abs(gradient @ v - along) < 1e-12 * (np.abs(gradient) @ np.abs(v))


@ways
def test_bundle_at_zero_rotation(way: Any) -> None:
    """The branch at |r| = 0 is taken: its derivative by r is that of v + r x v."""
    problem, p = _bundle("ba/test.txt")
    parts = problem.unpack(p)
    parts["camera"][:, :3] = 0.0
    p = problem.pack(parts)
    oracle, functions = Oracle(problem), way(problem)
    jacobian = oracle.jacobian(p)
    v = np.cos(np.arange(len(p)))
    assert np.isfinite(jacobian).all()
    assert error(np.reshape(functions("jac")(p), jacobian.shape), jacobian) < 1e-12
    assert error(functions("grad")(p), oracle.gradient(p)) < 1e-12
    assert error(functions("gnvp")(p, v), 2 * jacobian.T @ (jacobian @ v)) < 1e-12
    assert np.isfinite(functions("hvp")(p, v)).all()
