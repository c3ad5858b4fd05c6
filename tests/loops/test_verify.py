"""Every rule of a well-formed kernel has a kernel that breaks it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from symopt.loops.program import Buffer, Fill, Kernel, Node, Pass, Phase, Storage, Update
from symopt.loops.verify import verify
from symopt.statements.program import read_of
from symopt.types import Integer, Range, constant, dim, index

N, SAMPLE = dim("n"), index("sample")
LOOP = Range("sample", constant(0), N)
X = read_of("x", (SAMPLE,))
T = read_of("t", ())
Y = read_of("y", (SAMPLE,))
BUFFERS = {
    buffer.name: buffer
    for buffer in (
        Buffer("x", (N,), Storage.GIVEN),
        Buffer("c", (N,), Storage.GIVEN, integers=True),
        Buffer("t", (), Storage.LOCAL),
        Buffer("y", (N,), Storage.WORKSPACE),
        Buffer("s", (), Storage.OUTPUT),
    )
}
LOCAL = Update("t", (), (), "=", X.symbol, (X,), first=True)
SUM = Update("s", (), (), "sum", T.symbol, (T,), first=False)
KEEP = Update("y", (SAMPLE,), (), "=", T.symbol, (T,), first=True)
START = Fill("s", 0.0)


def _kernel(*nodes: Node) -> Kernel:
    return Kernel("f", nodes, BUFFERS, ("s",), ("n",))


def _pass(*body: Fill | Update) -> Pass:
    return Pass(LOOP, 8, None, (Phase((), body),))


def _at(place: Integer) -> Update:
    return replace(KEEP, place=(place,))


def test_a_good_kernel_is_returned() -> None:
    kernel = _kernel(START, _pass(LOCAL, SUM, KEEP))
    assert verify(kernel) is kernel


BROKEN = {
    "s is combined with nothing": _kernel(_pass(LOCAL, SUM)),
    "s reads t before it is set": _kernel(START, _pass(SUM)),
    "s: t is local": _kernel(START, replace(SUM, place=())),
    "t is local, and there is no sample": _kernel(Fill("t", 0.0)),
    "t reads x before it is set|x is only read": _kernel(Fill("x", 0.0)),
    "s reads t before it is set ": _kernel(START, _pass(LOCAL), _pass(SUM)),
    "s is filled once per sample": _kernel(_pass(START, LOCAL, SUM)),
    "s is filled over a value": _kernel(START, START),
    "output s is never written": _kernel(_pass(LOCAL, KEEP)),
    "y: .* are not running": _kernel(START, _pass(LOCAL, _at(index("k")))),
    "y needs another dim|needs another dim": _kernel(START, _pass(LOCAL, _at(dim("m")))),
    "y has 1 axes": _kernel(START, _pass(LOCAL, replace(KEEP, place=()))),
    "y is not new when it is first written": _kernel(Fill("y", 0.0), _pass(LOCAL, KEEP)),
    "needs a start to compare with": _kernel(_pass(LOCAL, replace(KEEP, reduction="max"))),
    "index sample runs twice": _kernel(_pass(replace(LOCAL, loops=(LOOP,)))),
    "written at others": _kernel(
        START,
        _pass(
            LOCAL,
            replace(KEEP, reduction="sum"),
            replace(_at(SAMPLE + 1), reduction="sum", first=False),
        ),
    ),
    "at another sample": _kernel(
        START,
        _pass(
            LOCAL, KEEP, replace(SUM, expression=Y.symbol, reads=(replace(Y, map=(SAMPLE - 1,)),))
        ),
    ),
    "after a node that read": _kernel(
        START,
        Fill("y", 0.0),
        _pass(replace(SUM, expression=Y.symbol, reads=(Y,))),
        _pass(LOCAL, replace(KEEP, first=False)),
    ),
    "holds indices": _kernel(_pass(replace(LOCAL, reads=(replace(X, tensor="c"),)))),
    "stand for nothing": _kernel(_pass(replace(LOCAL, reads=()))),
}


@pytest.mark.parametrize("message", BROKEN)
def test_a_broken_kernel_is_found(message: str) -> None:
    with pytest.raises(AssertionError, match=message.strip()):
        verify(BROKEN[message])
