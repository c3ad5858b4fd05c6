"""Sums over samples: which are taken together, and what registers they have."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.loops.program import SAMPLE, Update
from symopt.native.sums import Sums, lots
from symopt.native.text import FunctionText
from symopt.types import Range, constant, index
from tests.support.agreement import compiled_of, model_of
from tests.support.hand_built import Size, loop, place, read

X = read("x", SAMPLE)


def _sum(*places: Size, loops: tuple[Range, ...]) -> Update:
    return Update("s", tuple(map(place, places)), loops, "sum", X.symbol, (X,), first=False)


def test_few_elements_are_one_lot() -> None:
    first, second = _sum("a", loops=(loop("a", 4),)), _sum("b", 0, loops=(loop("b", 3),))
    assert list(lots((first, second), 24)) == [((first, second), ())]
    assert list(lots((), 24)) == []


def test_a_large_rectangle_keeps_its_outer_loops() -> None:
    rows, columns = loop("a", 30), loop("b", 5)
    ((updates, around),) = lots((_sum("a", "b", loops=(rows, columns)),), 24)
    assert around == (rows,)
    assert updates[0].loops == (columns,)
    ((_, around),) = lots((_sum("a", "b", loops=(rows, columns)),), 1)
    assert around == (rows, columns)


def test_loops_that_are_summed_over_stay_with_the_term() -> None:
    reduced = loop("k", 100)
    ((updates, around),) = lots((_sum("a", loops=(loop("a", 30), reduced)),), 24)
    assert [one.index for one in around] == ["a"]
    assert updates[0].loops == (reduced,)


def test_a_triangle_is_taken_element_by_element() -> None:
    """Its rows differ in length, so that no loop has as many registers each time."""
    triangle = _sum("a", "b", loops=(loop("a", 30), Range("b", constant(0), index("a"))))
    assert list(lots((triangle,), 24)) == [((triangle,), ())]


def test_large_and_small_ones_go_apart() -> None:
    large, small = _sum("a", loops=(loop("a", 30),)), _sum("b", loops=(loop("b", 3),))
    first, second = lots((large, small), 24)
    assert first[1] == (loop("a", 30),) and first[0][0].loops == ()
    assert second == ((small,), ())


def test_an_element_has_one_register() -> None:
    text = FunctionText(8)
    sums = Sums(text, 8)
    slots = [sums.slot("s", (constant(k),)) for k in (0, 1, 0)]
    other = sums.slot("t", (constant(0),))
    assert slots[0] == slots[2]
    assert len({*slots, other}) == 3
    assert len(sums.starts) == len(text.head) == 3  # each starts at 0, once


TEXT = """\
data X[n, d], y[n]
param W[7, d] init 0
minimize sum(W[a, j] * X[i, j] * y[i] for i in n, a in 7, j in d)
"""


@pytest.mark.parametrize("registers", [1, 3, 8, 24])
@pytest.mark.parametrize("written_out", [0, 512])
def test_every_element_is_summed_once(registers: int, written_out: int) -> None:
    model = model_of(TEXT, 8, written_out=written_out, registers=registers)
    for n in (0, 5, 129):
        # Whole numbers: no sum rounds.
        X = np.random.default_rng(n).integers(-9, 9, (n, 5)).astype(float)
        y = np.arange(n, dtype=float)
        problem = model.bind(X=X, y=y)
        wanted = np.broadcast_to(y @ X, (7, 5))
        assert np.array_equal(problem.grad(np.ones(35)).reshape(7, 5), wanted)


TERMS = """\
data X[n, d]
param w[d] init 0
t[i, a] = w[a] * X[i, a]
G[a] += t[i, a] for i in n, a in d
minimize sum(G[a]^2 * (a + 1) for a)
"""


@pytest.mark.parametrize(("registers", "in_lots"), [(16, 0), (15, 1), (1, 1)])
def test_terms_are_kept_for_further_rounds(registers: int, in_lots: int) -> None:
    """Of every block of the tile, the last one with lanes to spare too."""
    problem = model_of(TERMS, 8, registers=registers).bind(X=np.ones((131, 16)))
    assert problem.value(np.ones(16)) == 131.0**2 * 16 * 17 / 2
    nodes = compiled_of(problem, "value").kernel.nodes
    phases = [phase for node in nodes for phase in getattr(node, "phases", ())]
    assert sum(len(phase.sums) for phase in phases) == in_lots
