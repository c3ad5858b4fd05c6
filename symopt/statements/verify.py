"""What must hold of every statement program; a violation is our own mistake, never a user's."""

from __future__ import annotations

import sympy

from symopt.primitives.record import Constant, Primitive
from symopt.statements.expression import postorder, symbols_of
from symopt.statements.program import IDENTITY, Program, Read, Role, Statement, sections
from symopt.typed.ranges import are_apart
from symopt.types import Integer, Range, index


def verify(program: Program) -> Program:
    """The program itself, if it is well-formed; an AssertionError names what is not."""
    for name, tensor in program.tensors.items():
        assert tensor.name == name, f"{name} is filed under another name than {tensor.name}"
        for size in tensor.shape:
            _known(program, size, set(), name)
    for statement in program.statements:
        _verify_statement(program, statement)
    _verify_order(program)
    for name in program.outputs:
        assert name in program.tensors, f"output {name} is not a tensor"
    return program


def _verify_order(program: Program) -> None:
    """Every computed tensor is complete before it is read, but by what shares its steps.

    Only sums, and what writes elements of its own, have several statements.
    """
    last: dict[str, int] = {}
    parts = tuple(sections(program.statements))
    numbered = [(number, one) for number, part in enumerate(parts) for one in part]
    for number, statement in numbered:
        last |= dict.fromkeys(statement.written, number)
    for part in parts:
        _verify_steps(part, 0)
    writers: dict[str, list[Statement]] = {}
    for number, statement in numbered:
        for read in statement.reads:
            if read.tensor is None or program.tensors[read.tensor].role is not Role.COMPUTED:
                continue
            assert read.tensor in last, f"{read.tensor} is read and never written"
            # What is computed stepwise may have elements that are written after all steps.
            own = parts[number][0].steps and any(read.tensor in s.written for s in parts[number])
            # What a case reads of others is no element that is still to come.
            assert (
                own
                or last[read.tensor] < number
                or all(
                    are_apart(read.map, _ranges(statement), other.map, _ranges(other))
                    for later, other in numbered
                    if later >= number and read.tensor in other.written
                )
            ), f"{read.tensor} is read by statement {number} before it is complete"
        for earlier in writers.setdefault(statement.target, []):
            kinds = {earlier.reduction, statement.reduction}
            same = (earlier.map, earlier.loops) == (statement.map, statement.loops)
            assert kinds <= {"=", "sum"} and not (same and "=" in kinds), (
                f"{statement.target} is written twice"
            )
        writers[statement.target].append(statement)


def _ranges(statement: Statement) -> dict[str, Range]:
    return {loop.index: loop for loop in statement.loops}


def _verify_steps(part: tuple[Statement, ...], level: int) -> None:
    """What shares a step has the same range there."""
    if len(part[0].steps) <= level:
        return
    ranges = set[tuple[Integer, Integer]]()
    for statement in part:
        names = {loop.index: index(f"#{n}") for n, loop in enumerate(statement.loops[:level])}
        loop = statement.loops[level]
        ranges.add((loop.lower.substitute(names), loop.upper.substitute(names)))
    assert len(ranges) == 1, f"{part[0].steps[level].name}: steps over different ranges"
    for inner in sections(part, level + 1):
        _verify_steps(inner, level + 1)


def _verify_statement(program: Program, statement: Statement) -> None:
    where = statement.target
    assert where in program.tensors, f"{where} is not a tensor"
    assert statement.reduction in IDENTITY, f"{where}: no reduction {statement.reduction}"
    target = program.tensors[where]
    assert target.role is Role.COMPUTED, f"{where} is given and cannot be written"
    assert len(statement.map) == len(target.shape), f"{where}: map and shape differ in rank"
    indices: set[str] = set()
    for loop in statement.loops:
        for edge in (loop.lower, loop.upper):
            _known(program, edge, indices, where)
        assert loop.index not in indices, f"{where}: index {loop.index} runs twice"
        indices.add(loop.index)
    for place in statement.map:
        _known(program, place, indices, where)
    for read in statement.reads:
        _verify_read(program, read, indices, where)
    _verify_expression(statement)
    assert (statement.winner is not None) == (statement.reduction in ("max", "min")), (
        f"{where}: only max and min have a winner"
    )
    if statement.of_matrix:
        _verify_matrix(program, statement)
    if statement.winner is not None:
        _known(program, statement.winner.position, indices, where)
        winner = program.tensors[statement.winner.tensor]
        assert winner.shape == target.shape, f"{where}: the winner has another shape"


def _verify_matrix(program: Program, statement: Statement) -> None:
    """One read of a square matrix, at the last two loops; a target that is one has two more."""
    where, loops = statement.target, statement.loops[len(statement.around) :]
    size = loops[-1].upper
    assert all(loop.lower.value == 0 and loop.upper == size for loop in loops), (
        f"{where}: the loops of a matrix are not from 0 to one size"
    )
    (read,) = statement.reads
    assert statement.expression == read.symbol, f"{where}: of more than the element of a matrix"
    seen = frozenset[str]().union(*(place.indices for place in read.map))
    assert {loop.index for loop in loops[-2:]} <= seen, f"{where}: {read.symbol} is in no matrix"
    kept = tuple(index(loop.index) for loop in loops[:-2])
    assert statement.map[len(statement.map) - len(kept) :] == kept, f"{where}: no matrix in place"
    assert statement.reduced == loops[-2:], f"{where}: reduced over other than rows and columns"
    if kept:
        assert program.tensors[where].shape[-2:] == (size, size), f"{where}: of another size"


def _verify_read(program: Program, read: Read, indices: set[str], where: str) -> None:
    for place in read.map:
        _known(program, place, indices, where)
    if read.tensor is None:
        assert len(read.map) == 1, f"{where}: {read.symbol} stands for several integers"
        return
    assert read.tensor in program.tensors, f"{where}: {read.tensor} is not a tensor"
    tensor = program.tensors[read.tensor]
    assert tensor.role is not Role.INDICES, f"{where}: {read.tensor} holds indices"
    assert len(read.map) == len(tensor.shape), f"{where}: {read.tensor} read with a wrong rank"


def _verify_expression(statement: Statement) -> None:
    """Our nodes alone, over symbols each of which stands for one thing."""
    where = statement.target
    symbols = [read.symbol for read in statement.reads]
    assert len(set(symbols)) == len(symbols), f"{where}: a symbol stands for two things"
    free = symbols_of(statement.expression) - set(symbols)
    assert not free, f"{where}: {free} stand for nothing"
    for node in postorder(statement.expression):
        own = isinstance(node, Primitive | Constant | sympy.Symbol | sympy.Integer)
        power = isinstance(node, sympy.Pow) and node.exp.is_Integer and int(node.exp) > 0
        assert own or node.is_Add or node.is_Mul or power, f"{where}: {node} is not ours"


def _known(program: Program, value: Integer, indices: set[str], where: str) -> None:
    unknown = value.indices - indices
    assert not unknown, f"{where}: index {', '.join(sorted(unknown))} is not running"
    for name in value.tensors:
        assert program.tensors[name].role is Role.INDICES, f"{where}: {name} is not integer data"
