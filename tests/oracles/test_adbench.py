"""ADBench's four problems against its published values.

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


def test_bundle_has_the_published_jacobian_as_a_sparse_matrix() -> None:
    problem, p = _bundle("ba/test.txt")
    found, wanted = problem.jac_sparse(p), PUBLISHED["ba/test.txt"]
    block = np.reshape(wanted["jacobian_block_2x15_row_major"], (2, 15))
    expected = np.zeros((30, 62))
    for k in range(10):
        camera, point = 11 * (k % 2) + np.arange(11), 22 + 3 * k + np.arange(3)
        expected[2 * k : 2 * k + 2, [*camera, *point, 52 + k]] = block
        expected[20 + k, 52 + k] = wanted["dw_err_dw"]
    # By blocks of unknowns, which differ in size.
    for columns in np.split(np.arange(62), [22, 52]):
        assert error(found[:, columns].toarray(), expected[:, columns]) < TOLERANCE
    # The principal point's u moves the first coordinate alone, its v the second.
    assert found.nnz == 10 * (2 * 14 + 1)


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
    """The rotation is smooth at r = 0, where the angle has no derivative."""
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
    # Differences of fourth order of gradients, by the rotations and some of the rest.
    some = np.r_[:3, 11:14, 5, 20:60:9]
    assert error(functions("hvp")(p, v)[some], oracle.hessian_product(p, v, some)) < 1e-9


# ── hand tracking ────────────────────────────────────────────────────────────────────────────

THETA = 26


@functools.cache
def _hand_model() -> dict[str, np.ndarray]:
    """The bones, the skin and its triangles."""
    directory = DATA / "hand" / "model"
    bones = [line.split(":") for line in _lines(directory / "bones.txt")]
    skin = [line.split(":") for line in _lines(directory / "vertices.txt")]
    matrices = np.array([bone[2:34] for bone in bones], float).reshape(-1, 2, 4, 4)
    weight = np.zeros((len(skin), len(bones)))
    for vertex, fields in enumerate(skin):
        pairs = np.array(fields[9 : 9 + 2 * int(fields[8])], float).reshape(-1, 2)
        weight[vertex, pairs[:, 0].astype(int)] = pairs[:, 1]
    parent = np.array([bone[1] for bone in bones], int)
    return {
        "parent": np.maximum(parent, 0),  # the first has none
        "relative": matrices[:, 0],
        "inverse": matrices[:, 1],
        "base": np.array([[*fields[:3], 1] for fields in skin], float),
        "weight": weight,
    }


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split()


@functools.cache
def _hand(path: str, complicated: bool) -> tuple[Problem, np.ndarray]:
    numbers = np.array(_numbers(path))
    n = int(numbers[0])
    points, p = np.split(numbers[2:], [4 * n])
    points = points.reshape(n, 4)
    given = {**_hand_model(), "measured": points[:, 1:]}
    where = points[:, 0].astype(int)
    if not complicated:
        return _model("hand_simple").bind(given, vertex=where), p
    corner = [line.split(":") for line in _lines(DATA / "hand" / "model" / "triangles.txt")]
    given["corner"] = np.array(corner, int)
    return _model("hand_complicated").bind(given, triangle=where), p


def _compressed(jacobian: np.ndarray) -> np.ndarray:
    """Of the columns of the weights u only the point's own two, which stand first."""
    rows, own = len(jacobian), jacobian.shape[1] - THETA
    kept = [jacobian[[i], 2 * (i // 3) : 2 * (i // 3) + 2] for i in range(rows if own else 0)]
    return np.hstack([*([np.vstack(kept)] if own else []), jacobian[:, own:]])


hands = pytest.mark.parametrize(
    ("path", "columns"),
    [
        ("hand/test.txt", "jacobian_6x26_col_major"),
        ("hand/hand_complicated.txt", "jacobian_6x28_col_major"),
    ],
    ids=["simple", "complicated"],
)


@ways
@hands
def test_hand_has_the_published_residuals_and_jacobian(way: Any, path: str, columns: str) -> None:
    problem, p = _hand(path, "complicated" in path)
    wanted, functions = PUBLISHED[path], way(problem)
    expected = np.reshape(wanted[columns], (-1, 6)).T
    assert error(functions("residuals")(p), wanted["residual"]) < TOLERANCE
    jacobian = np.reshape(functions("jac")(p), (6, len(p)))
    assert error(_compressed(jacobian), expected) < TOLERANCE


@hands
def test_hand_has_the_published_jacobian_as_a_sparse_matrix(path: str, columns: str) -> None:
    problem, p = _hand(path, "complicated" in path)
    found = problem.jac_sparse(p)
    expected = np.reshape(PUBLISHED[path][columns], (-1, 6)).T
    assert error(_compressed(found.toarray()), expected) < TOLERANCE
    # A shift along an axis moves that coordinate alone.
    assert found.nnz == expected.size - 6 * 2


@ways
@pytest.mark.parametrize("kind", ["simple", "complicated"])
def test_hand_has_the_computed_residuals(way: Any, kind: str) -> None:
    path = f"hand/{kind}_small/hand1_t26_c100.txt"
    problem, p = _hand(path, kind == "complicated")
    wanted, functions = COMPUTED["hand"][path], way(problem)
    assert len(p) == wanted["n_params"]
    residuals = np.asarray(functions("residuals")(p))
    assert error(residuals[:6], wanted["residual_first6"]) < TOLERANCE
    assert error(np.ravel(functions("value")(p)), [wanted["sum_squares"]]) < TOLERANCE
    v = np.cos(np.arange(len(p)))
    along = Oracle(problem).change_of_cut(p, v)
    assert error(functions("jvp")(p, v), along) < TOLERANCE
    assert error(functions("grad")(p) @ v, 2 * residuals @ along) < TOLERANCE


# ── the LSTM ─────────────────────────────────────────────────────────────────────────────────


@functools.cache
def _network(path: str) -> tuple[Problem, np.ndarray]:
    numbers = _numbers(path)
    layers, characters, bits = (int(number) for number in numbers[:3])
    sizes = np.array([(8 * layers + 3) * bits, 2 * layers * bits])
    p, state, x = np.split(np.array(numbers[3:]), np.cumsum(sizes))
    x, state = x.reshape(characters, bits), state.reshape(layers, 2, bits)
    return _model("lstm").bind(x=x, state=state), p


def test_network_has_the_published_value_and_gradient() -> None:
    path = "lstm/lstm_l2_c1024.txt"
    problem, p = _network(path)
    computed, value, gradient = COMPUTED["lstm"][path], problem.value(p), problem.grad(p)
    assert len(p) == computed["n_params"]
    assert round(value, 8) == PUBLISHED[path]["objective"]  # of which 8 digits are published
    assert error(value, computed["objective"]) < TOLERANCE
    assert error(gradient, PUBLISHED[path]["gradient"]) < TOLERANCE


@ways
def test_network_has_the_derivatives_of_complex_steps(way: Any) -> None:
    """For the start of the text: step by step, the evaluator is slow."""
    whole, p = _network("lstm/lstm_l2_c1024.txt")
    problem = whole.rebind(x=whole.eval("x", p)[:9])
    functions, oracle = way(problem), Oracle(problem)
    v, some = np.cos(np.arange(len(p))), np.arange(3, len(p), 37)
    gradient, product = functions("grad")(p), functions("hvp")(p, v)
    assert error(gradient[some], oracle.gradient(p, some)) < TOLERANCE
    assert error(product[some], oracle.hessian_product(p, v, some)) < 1e-10
