"""Reductions as native code: ties, nan, empty ranges, and numbers of samples beside the lanes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.support.agreement import compiled_of, model_of
from tests.support.kernels import LANES, reduce_samples

SIZES = [(0, 3), (3, 0), (0, 0), (1, 1), (1, 5), (3, 2), (7, 3), (8, 1), (9, 4), (16, 2), (25, 3)]
IDENTITIES = {"sum": 0.0, "prod": 1.0, "max": -math.inf, "min": math.inf, "logsumexp": -math.inf}


def _matrix(shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(7).uniform(-1.5, 1.5, shape)


def _meaning(reduction: str, values: list[float]) -> float:
    if not values:
        return IDENTITIES[reduction]
    match reduction:
        case "sum":
            return math.fsum(values)
        case "prod":
            return math.prod(values)
        case "max":
            return max(values)
        case "min":
            return min(values)
    return math.log(math.fsum(map(math.exp, values)))


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("reduction", IDENTITIES)
def test_whole_and_by_row(reduction: str, shape: tuple[int, int], lanes: int) -> None:
    x = _matrix(shape)
    whole = reduce_samples(reduction, x, lanes)["result"]
    rows = reduce_samples(reduction, x, lanes, by_row=True)["result"]
    # Sums and products of at most 75 terms, each rounded.
    assert whole == pytest.approx(_meaning(reduction, x.ravel().tolist()), rel=1e-13, abs=1e-13)
    wanted = [_meaning(reduction, row) for row in x.tolist()]
    assert rows == pytest.approx(wanted, rel=1e-14, abs=1e-14)


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("reduction", ["max", "min"])
def test_first_winner_of_ties(reduction: str, lanes: int) -> None:
    """In row-major order, although lanes visit columns first."""
    rng = np.random.default_rng(3)
    for n in (1, 3, 8, 13):
        x = rng.integers(0, 3, (n, 4)).astype(float)
        place = np.argmax(x) if reduction == "max" else np.argmin(x)
        assert reduce_samples(reduction, x, lanes)["winner"] == place
        rows = x.argmax(1) if reduction == "max" else x.argmin(1)
        assert np.array_equal(reduce_samples(reduction, x, lanes, by_row=True)["winner"], rows)


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("reduction", ["max", "min"])
def test_infinities_have_a_winner(reduction: str, lanes: int) -> None:
    x = np.full((9, 2), IDENTITIES[reduction])
    found = reduce_samples(reduction, x, lanes)
    assert found["result"] == IDENTITIES[reduction]
    assert found["winner"] == 0


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("reduction", IDENTITIES)
def test_nan_spreads(reduction: str, lanes: int) -> None:
    for place in ((0, 0), (8, 2), (4, 1)):
        x = _matrix((9, 3))
        x[place] = np.nan
        assert np.isnan(reduce_samples(reduction, x, lanes)["result"])
        rows = reduce_samples(reduction, x, lanes, by_row=True)["result"]
        assert np.array_equal(np.isnan(rows), np.isnan(x).any(axis=1))


@pytest.mark.parametrize("lanes", LANES)
def test_logsumexp_of_extremes(lanes: int) -> None:
    x = np.array([[1e4, 1e4], [-1e4, -1e4], [-np.inf, 3.0], [-np.inf, -np.inf], [np.inf, 0.0]])
    found = reduce_samples("logsumexp", x, lanes, by_row=True)["result"]
    wanted = [1e4 + math.log(2), -1e4 + math.log(2), 3.0, -math.inf, math.inf]
    assert found.tolist() == pytest.approx(wanted, rel=1e-15)


# ── tiles ────────────────────────────────────────────────────────────────────────────────────

COMPONENTS = """\
data X[n, d], y[n]
param mu[k, d] init 0
u[i, a] = sum((X[i, j] - mu[a, j])^2 for j)
minimize sum(logsumexp(-u[i, a] * y[i] for a) for i)
"""


def _components(written_out: int, k: int, n: int = 1000) -> str:
    """The code of a gradient for so many components."""
    model = model_of(COMPONENTS, 8, written_out=written_out)
    problem = model.bind(X=np.ones((n, 3)), y=np.ones(n), k=k)
    problem.grad(np.zeros(problem.n))
    return compiled_of(problem, "grad").ir


def test_code_does_not_grow_with_a_loop_around_the_blocks() -> None:
    short, long = (len(_components(0, k).splitlines()) for k in (20, 40))
    assert long == pytest.approx(short, rel=0.05)


def test_code_of_what_is_written_out_has_no_loops_in_a_block() -> None:
    loops = [_components(written_out, 3).count("phi i64") for written_out in (10**6, 0)]
    assert loops[0] < loops[1]


def test_sums_stay_in_registers_while_the_blocks_go_by() -> None:
    """Each element has its own, added to memory once per tile."""
    text = "data x[n]\nparam a init 1, b init 0\nminimize sum(exp(a * x[i] + b) for i)\n"
    model = model_of(text, 8)
    problem = model.bind(x=np.zeros(100))
    assert problem.grad([1.0, 0.0]).tolist() == [0.0, 100.0]
    ir = compiled_of(problem, "grad").ir
    starts = [line for line in ir.splitlines() if line.startswith("  store <8 x double> zero")]
    assert len(starts) >= 2  # a.bar and b.bar
