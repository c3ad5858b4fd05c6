"""Kernels as text."""

from __future__ import annotations

import sympy

from symopt.loops.printer import print_kernel
from symopt.loops.program import Buffer, Fill, Kernel, Pass, Phase, Storage, Update
from symopt.statements.program import count_of, read_of
from symopt.types import Range, constant, dim, index


def test_nodes_are_indented_as_they_nest() -> None:
    n, d, j, sample = dim("n"), dim("d"), index("j"), index("sample")
    inner = Range("j", constant(0), d)
    x, t, j_number = read_of("x", (sample, j)), read_of("t", ()), count_of(j)
    # A statement names its reads by its own indices; the text has the places in the buffers.
    told = read_of("t", (index("i"),))
    body = (
        Fill("t", float("-inf")),
        Update(
            "t", (), (inner,), "max", sympy.Mul(x.symbol, j_number.symbol), (x, j_number), False
        ),
        Update("s", (), (), "sum", told.symbol, (told.__class__(told.symbol, "t", t.map),), False),
        Update("y", (sample,), (), "=", t.symbol, (t,), True),
    )
    buffers = (
        Buffer("x", (n, d), Storage.GIVEN),
        Buffer("t", (), Storage.LOCAL),
        Buffer("s", (), Storage.OUTPUT),
        Buffer("y", (n,), Storage.OUTPUT),
    )
    loop = Pass(Range("sample", constant(1), n), 8, None, (Phase((), body),))
    kernel = Kernel(
        "f", (Fill("s", 0.0), loop), {b.name: b for b in buffers}, ("s", "y"), ("d", "n")
    )
    assert print_kernel(kernel).splitlines() == [
        "kernel f(d, n)",
        "  given x(n, d)",
        "  local t()",
        "  output s()",
        "  output y(n)",
        "  fill s with 0",
        "  pass sample in range(1, n), 8 at a time:",
        "    fill t with -inf",
        "    t max= #(j)*x[sample, j] for j in range(d)",
        "    s sum= t",
        "    y[sample] = t",
    ]
