"""Every function of the GradBench tool beside NumPy formulas and their complex steps."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.benchmarks.gradbench import inputs
from tests.benchmarks.gradbench.protocol import respond
from tests.benchmarks.gradbench.registry import MODULES
from tests.gradbench import formulas
from tests.gradbench.formulas import derivative
from tests.support.oracle import error

Json = Any
# Both sides are computed in double precision: formulas and complex steps lose some last digits.
TOLERANCE = 1e-11


def ask(module: str, function: str, given: Json) -> Any:
    """The output of a function, after input and output have been texts."""
    message = {"id": 3, "kind": "evaluate", "module": module, "function": function, "input": given}
    response = json.loads(json.dumps(respond(json.loads(json.dumps(message)))))
    assert response["success"], response["error"]
    return response["output"]


@pytest.mark.parametrize("x", [1.0, -3.5, 0, 7])
def test_hello(x: float) -> None:
    assert ask("hello", "square", x) == x * x
    assert ask("hello", "double", x) == 2 * x


@pytest.mark.parametrize("n", [1, 2, 37])
def test_lse(n: int) -> None:
    given = inputs.lse(n, n)
    x = np.array(given["x"])
    assert error(ask("lse", "primal", given), formulas.log_of_sum(x)) < TOLERANCE
    assert error(ask("lse", "gradient", given), np.exp(x - formulas.log_of_sum(x))) < TOLERANCE


def test_lse_of_large_numbers() -> None:
    given = {"x": [1000.0, 1001.0, -1000.0]}
    assert error(ask("lse", "primal", given), 1001 + np.log1p(np.exp(-1))) < TOLERANCE
    share = 1 / (1 + np.exp(-1))
    assert error(ask("lse", "gradient", given), [1 - share, share, 0.0]) < TOLERANCE


@pytest.mark.parametrize(("n", "m"), [(2, 1), (16, 5), (31, 12)])
def test_llsq(n: int, m: int) -> None:
    given = inputs.llsq(n, n, m)
    x = np.array(given["x"])
    assert error(ask("llsq", "primal", given), formulas.least_squares(x, n)) < TOLERANCE
    wanted = derivative(lambda x: formulas.least_squares(x, n), x)[0]
    assert error(ask("llsq", "gradient", given), wanted) < TOLERANCE


@pytest.mark.parametrize(("n", "s"), [(1, 1), (2, 3), (7, 5)])
def test_ode(n: int, s: int) -> None:
    given = inputs.ode(n, n, s)
    x = np.array(given["x"])
    assert error(ask("ode", "primal", given), formulas.solution(x, s)) < TOLERANCE
    wanted = derivative(lambda x: formulas.solution(x, s)[-1], x)[0]
    assert error(ask("ode", "gradient", given), wanted) < TOLERANCE


@pytest.mark.parametrize("ell", [1, 2, 3, 5])
def test_det(ell: int) -> None:
    given = inputs.det(ell, ell)
    a = np.array(given["A"])
    assert error(ask("det", "primal", given), formulas.determinant(a)) < TOLERANCE
    assert error(ask("det", "gradient", given), derivative(formulas.determinant, a)[0]) < TOLERANCE


@pytest.mark.parametrize(("n", "k", "d"), [(5, 1, 1), (20, 3, 2), (40, 40, 3)])
def test_kmeans(n: int, k: int, d: int) -> None:
    given = inputs.kmeans(n, n, k, d)
    points, centroids = np.array(given["points"]), np.array(given["centroids"])
    wanted = formulas.distances(centroids, points)
    assert abs(ask("kmeans", "cost", given) - wanted) < TOLERANCE * max(wanted, 1)
    step = formulas.to_means(points, centroids)
    assert np.abs(np.array(ask("kmeans", "dir", given)) - step).max() < TOLERANCE


@pytest.mark.parametrize(
    ("n", "d", "k", "m", "gamma"), [(4, 2, 1, 0, 1.0), (9, 2, 3, 0, 1.0), (12, 4, 2, 3, 0.7)]
)
def test_gmm(n: int, d: int, k: int, m: int, gamma: float) -> None:
    given = inputs.gmm(n, n, d, k, m, gamma)
    names = ("alpha", "mu", "q", "l")
    unknown = np.concatenate([np.ravel(given[name]) for name in names])
    assert error(ask("gmm", "objective", given), formulas.posterior(unknown, given)) < TOLERANCE
    gradient = ask("gmm", "jacobian", given)
    assert gradient.keys() == set(names)
    found = np.concatenate([np.ravel(gradient[name]) for name in names])
    wanted = derivative(lambda x: formulas.posterior(x, given), unknown)[0]
    assert error(found, wanted) < TOLERANCE
    assert [np.shape(gradient[name]) for name in names] == [np.shape(given[name]) for name in names]


@pytest.mark.parametrize(("n", "m", "p"), [(1, 1, 12), (2, 5, 10), (3, 4, 30)])
def test_ba(n: int, m: int, p: int) -> None:
    given = inputs.ba(n, n, m, p)
    one = np.array([*given["cam"], *given["x"], given["w"]])
    residuals = formulas.reprojection(one, np.array(given["feat"]))
    found = ask("ba", "objective", given)
    assert found["reproj_error"]["repeated"] == found["w_err"]["repeated"] == p
    assert error(found["reproj_error"]["elements"], residuals[:2]) < TOLERANCE
    assert error(found["w_err"]["element"], residuals[2]) < TOLERANCE

    jacobian = ask("ba", "jacobian", given)
    block = derivative(lambda one: formulas.reprojection(one, np.array(given["feat"])), one)
    assert error(jacobian["vals"], [*block[0], *block[1], block[2, 14]]) < TOLERANCE
    columns = [*range(11), *range(11 * n, 11 * n + 3), 11 * n + 3 * m]
    assert jacobian["cols"] == [*columns, *columns, 11 * n + 3 * m + p - 1]
    starts = [*range(0, 30 * p, 15), *range(30 * p, 31 * p + 1)]
    assert jacobian["rows"] == [*starts[:30], starts[-1]]


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("complicated", [False, True])
def test_ht(complicated: bool, mirrored: bool) -> None:
    given = inputs.ht(5, 8, 4, complicated, mirrored)
    unknown = np.array([*np.ravel(given["us"]), *given["theta"]])
    residuals = formulas.hand(unknown, given)
    assert error(ask("ht", "objective", given), residuals.real.ravel()) < TOLERANCE
    full = derivative(lambda x: formulas.hand(x, given), unknown)
    if complicated:  # only the columns of a point's own weights are sent, in front of the others
        own = [full[3 * i : 3 * i + 3, 2 * i : 2 * i + 2] for i in range(4)]
        full = np.hstack([np.vstack(own), full[:, 8:]])
    assert error(ask("ht", "jacobian", given), full) < TOLERANCE


@pytest.mark.parametrize(("layers", "characters", "bits"), [(1, 2, 1), (2, 7, 3), (3, 5, 4)])
def test_lstm(layers: int, characters: int, bits: int) -> None:
    given = inputs.lstm(layers, layers, characters, bits)
    unknown = np.concatenate([np.ravel(given["main_params"]), np.ravel(given["extra_params"])])
    wanted = formulas.prediction_loss(unknown, given)
    assert error(ask("lstm", "objective", given), wanted) < TOLERANCE
    gradient = derivative(lambda x: formulas.prediction_loss(x, given), unknown)[0]
    assert error(ask("lstm", "jacobian", given), gradient) < TOLERANCE


def test_every_module_is_tested_here() -> None:
    assert {f"test_{name}" for name in MODULES} <= globals().keys()
