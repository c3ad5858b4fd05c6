"""Small statements run as native code: one expression at every sample, or one reduction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy
from numpy.typing import NDArray

from symopt.loops.options import Options
from symopt.loops.program import Kernel
from symopt.loops.schedule import schedule
from symopt.loops.single import in_single
from symopt.loops.verify import verify
from symopt.native.emit import emit_module
from symopt.native.function import NativeFunction
from symopt.native.jit import compile_ir
from symopt.primitives.record import Elementwise
from symopt.statements.program import Program, Read, Role, Statement, Tensor, Winner, read_of
from symopt.types import Integer, Range, constant, dim, index

LANES = (1, 4, 8)
SAMPLES = Range("i", constant(0), dim("n"))


def given(names: Sequence[str], shape: tuple[Integer, ...] = (dim("n"),)) -> dict[str, Tensor]:
    """Tensors of data, all of one shape."""
    return {name: Tensor(name, shape, Role.DATA) for name in names}


def run(
    program: Program,
    dims: dict[str, int],
    data: dict[str, NDArray[Any]],
    lanes: int,
    *,
    single: bool = False,
) -> dict[str, NDArray[Any]]:
    """The outputs of a program, computed natively; of floats in `single` precision."""
    kernel: Kernel = verify(schedule(program, "tested", Options(lanes, "n")))
    if single:
        kernel = verify(in_single(kernel, frozenset()))
    library = compile_ir(emit_module(kernel), kernel.name)
    numbers = {name: kernel_dim for name, kernel_dim in dims.items() if name in kernel.dims}
    function = NativeFunction(kernel, library, {**dims, **numbers}, data, {}, {})
    function.run()
    return {name: part.copy() for name, part in function.parts.items()}


def map_samples(
    expression: sympy.Expr,
    reads: Sequence[Read],
    data: dict[str, NDArray[Any]],
    lanes: int,
    *,
    single: bool = False,
) -> NDArray[Any]:
    """The expression at every sample of data of one length."""
    n = len(next(iter(data.values())))
    tensors = given([name for name in data if data[name].dtype.kind == "f"])
    whole = {k: Tensor(k, (dim("n"),), Role.INDICES, dim("n")) for k in data if k not in tensors}
    tensors |= whole | {"result": Tensor("result", (dim("n"),), Role.COMPUTED)}
    statement = Statement("result", (index("i"),), (SAMPLES,), "=", expression, tuple(reads))
    program = Program((statement,), tensors, ("result",))
    return run(program, {"n": n}, data, lanes, single=single)["result"]


def reduce_samples(
    reduction: str, x: NDArray[Any], lanes: int, *, by_row: bool = False
) -> dict[str, NDArray[Any]]:
    """A reduction of a matrix over all its entries, or of each row over its columns."""
    read = read_of("x", (index("i"), index("j")))
    place = (index("i"),) if by_row else ()
    shape = (dim("n"),) if by_row else ()
    tensors = {
        **given(["x"], (dim("n"), dim("d"))),
        "result": Tensor("result", shape, Role.COMPUTED),
        "winner": Tensor("winner", shape, Role.COMPUTED),
    }
    position = index("j") if by_row else index("i") * dim("d") + index("j")
    extremum = reduction in ("max", "min")
    statement = Statement(
        "result",
        place,
        (SAMPLES, Range("j", constant(0), dim("d"))),
        reduction,  # type: ignore[arg-type]
        read.symbol,
        (read,),
        Winner("winner", position) if extremum else None,
    )
    outputs = ("result", "winner") if extremum else ("result",)
    if not extremum:
        del tensors["winner"]
    program = Program((statement,), tensors, outputs)
    return run(program, {"n": x.shape[0], "d": x.shape[1]}, {"x": x}, lanes)


def arguments_of(record: Elementwise) -> tuple[list[sympy.Expr], list[Read]]:
    """Arguments for a record: reads `x0[i]`, ...; constant integers where it wants these."""
    arguments: list[sympy.Expr] = []
    reads: list[Read] = []
    for k, (low, high) in enumerate(record.domain):
        if low == high:
            arguments.append(sympy.Integer(int(low)))
            continue
        read = read_of(f"x{k}", (index("i"),))
        reads.append(read)
        arguments.append(read.symbol)
    return arguments, reads


def points_of(record: Elementwise, columns: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The arrays that these arguments read."""
    intervals = enumerate(record.domain)
    return {f"x{k}": columns[k] for k, (low, high) in intervals if low != high}
