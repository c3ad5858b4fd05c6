"""Index arithmetic as native code, against Python's integers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from symopt.statements.program import Program, Role, Statement, Tensor, count_of
from symopt.types import Clamp, Entry, Integer, Range, atom, constant, dim, index
from tests.support.kernels import LANES, SAMPLES, run

ROW, J, N, M = index("i"), index("j"), dim("n"), dim("m")
ARRAY = [4, 0, 2, 1, 3, 6, 5, 9, 7, 8, 10]
ENTRY = atom(Entry("c", (ROW,)))
Meaning = Callable[[int, int, int, int, list[int]], int]

CASES: dict[str, tuple[Integer, Meaning]] = {
    "polynomial": (ROW * ROW * 3 - J * N + 7, lambda i, j, n, m, c: 3 * i * i - j * n + 7),
    "negative": (-ROW - J * 2, lambda i, j, n, m, c: -i - 2 * j),
    "zero": (ROW - ROW, lambda i, j, n, m, c: 0),
    "quotient": ((ROW - 5) // constant(3), lambda i, j, n, m, c: (i - 5) // 3),
    "quotient by a negative": ((ROW - 5) // (J - 4), lambda i, j, n, m, c: (i - 5) // (j - 4)),
    "remainder": ((ROW - 5) % constant(3), lambda i, j, n, m, c: (i - 5) % 3),
    "remainder by a negative": ((ROW - 5) % (J - 4), lambda i, j, n, m, c: (i - 5) % (j - 4)),
    "by a negative constant": ((ROW - 5) // constant(-2), lambda i, j, n, m, c: (i - 5) // -2),
    "by a dim": ((ROW + J) % M, lambda i, j, n, m, c: (i + j) % m),
    "entry": (ENTRY * 2 + J, lambda i, j, n, m, c: 2 * c[i] + j),
    "entry of an entry": (atom(Entry("c", (ENTRY,))), lambda i, j, n, m, c: c[c[i]]),
    "moved entry": (atom(Entry("c", ((ROW + J) % N,))), lambda i, j, n, m, c: c[(i + j) % n]),
    "clamp": (atom(Clamp(ROW - 4, M)), lambda i, j, n, m, c: max(min(i - 4, m - 1), 0)),
    "clamp entry": (
        atom(Clamp(ENTRY - 3, constant(5))),
        lambda i, j, n, m, c: max(min(c[i] - 3, 4), 0),
    ),
    "division by zero is zero": ((ROW + 3) // J, lambda i, j, n, m, c: (i + 3) // j if j else 0),
    "remainder by zero is zero": ((ROW + 3) % J, lambda i, j, n, m, c: (i + 3) % j if j else 0),
}  # fmt: skip


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("name", CASES)
def test_integers_are_pythons(name: str, lanes: int) -> None:
    value, meaning = CASES[name]
    n, m = len(ARRAY), 3
    read = count_of(value)
    loops = (SAMPLES, Range("j", constant(0), M))
    tensors = {
        "c": Tensor("c", (N,), Role.INDICES, N),
        "result": Tensor("result", (N, M), Role.COMPUTED),
    }
    statement = Statement("result", (ROW, J), loops, "=", read.symbol, (read,))
    program = Program((statement,), tensors, ("result",))
    found = run(program, {"n": n, "m": m}, {"c": np.array(ARRAY)}, lanes)["result"]
    wanted = [[meaning(i, j, n, m, ARRAY) for j in range(m)] for i in range(n)]
    assert found.tolist() == wanted
