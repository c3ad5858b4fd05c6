"""What one sample adds to the objective: the summands of its sums over samples.

An objective is a sum over samples where every way from such a sum to it is linear, and no factor on
that way depends on a parameter. Terms outside these sums are no part of any sample. Where a sum is
divided by the number of samples, as a mean is, that division is left away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import sympy
from sympy import S

from symopt.derive.activity import depending_on, finiteness_of, leading_to, real_reads
from symopt.derive.elements import element_loops
from symopt.derive.reverse import adjoint
from symopt.derive.scalar import weights
from symopt.diagnostics import DerivativeUnavailable, Diagnostic, Kind, Label
from symopt.primitives import operators
from symopt.primitives.record import Constant, Primitive
from symopt.source import Span
from symopt.statements.build import used_reads
from symopt.statements.expression import operands, postorder, replaced, symbols_of
from symopt.statements.program import Program, Read, Role, Statement, Tensor, count_of, read_of
from symopt.typed.ranges import greatest, nonnegative
from symopt.types import Dim, Integer, Range, constant, index

SUMMANDS = "sample.summand"
TOTAL = "sample.total"
_FACTOR = "factor"  # of a sum, in the objective


def with_summands(
    program: Program,
    objective: str,
    params: Iterable[str],
    dims: tuple[str, ...],
    residuals: tuple[str, ...] = (),
) -> tuple[Program, tuple[str, ...]]:
    """The program with the tensors whose elements are the samples' summands, and their names.

    Samples run over the first of the `dims` over which the objective is a sum. Without one, the
    square of each of the `residuals` that it is the sum of is a summand, or else all of it.
    """
    active = depending_on(program, params) & leading_to(program, (objective,))
    for dim in dims:
        sums = _sums_over(dim, program, objective, active)
        if sums.statements:
            return _by_samples(program, objective, dim, sums), (SUMMANDS,)
    _check_no_loop(program, active, dims)
    if not residuals:
        return program, (objective,)
    squares = tuple(_square(program, name) for name in residuals)
    names = tuple(square.target for square in squares)
    tensors = {
        square.target: replace(program.tensors[name], name=square.target)
        for square, name in zip(squares, residuals, strict=True)
    }
    return program.extended(squares, tensors), names


def _check_no_loop(program: Program, active: set[str], dims: tuple[str, ...]) -> None:
    """Refuse what runs over samples and is no sum over them, such as their maximum."""
    for statement in program.statements:
        found = {dim for loop in statement.loops for dim in loop.upper.dims}
        if statement.target in active and found & set(dims):
            raise DerivativeUnavailable(_no_samples(statement.span))


def _square(program: Program, residual: str) -> Statement:
    loops, place = element_loops(program.tensors[residual].shape)
    read = read_of(residual, place)
    return Statement(f"{residual}.squared", place, loops, "=", read.symbol**2, (read,))


def with_total(program: Program, summands: tuple[str, ...]) -> Program:
    """The program with the sum of all summands, `TOTAL`."""
    parts: list[Statement] = []
    for name in summands:
        loops, place = element_loops(program.tensors[name].shape)
        read = read_of(name, place)
        parts.append(Statement(TOTAL, (), loops, "sum", read.symbol, (read,)))
    return program.extended(tuple(parts), {TOTAL: Tensor(TOTAL, (), Role.COMPUTED)})


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums over samples, by number of the statement, and the linear statements after them."""

    statements: tuple[int, ...]
    linear: frozenset[int]


def _sums_over(dim: str, program: Program, objective: str, active: set[str]) -> _Sums:
    """The sums over a dim that the objective is made of.

    Raises DerivativeUnavailable where anything that sums over the dim reaches it in another way.
    """
    linear, bent = {objective}, dict[str, Statement]()
    sums: list[int] = []
    after: set[int] = set()
    for number in reversed(range(len(program.statements))):
        statement = program.statements[number]
        if statement.target not in active:
            continue
        by_sample = _sample_loop(statement, dim) is not None
        if statement.target in bent and by_sample:
            raise DerivativeUnavailable(_not_a_sum(dim, bent[statement.target], statement))
        if statement.target in linear and by_sample and statement.reduction == "sum":
            sums.append(number)
        elif statement.target in linear:
            after.add(number)
            constant_reads, others = _slopes(program, statement, active)
            linear |= constant_reads
            bent |= {name: statement for name in others}
        elif statement.target in bent:
            reads = {read.tensor for read in statement.reads if read.tensor in active}
            bent |= {name: bent[statement.target] for name in reads if name}
    return _Sums(tuple(reversed(sums)), frozenset(after))


def _sample_loop(statement: Statement, dim: str) -> Range | None:
    """The loop over a dim that a statement is reduced over."""
    for loop in statement.reduced:
        if dim in loop.upper.dims and not loop.upper.tensors | loop.lower.tensors:
            return loop
    return None


def _slopes(program: Program, statement: Statement, active: set[str]) -> tuple[set[str], set[str]]:
    """The tensors that a statement is linear in, with factors that are no parameters; others."""
    wanted = real_reads(program, statement, active)
    slopes = weights(statement.expression, S.One, wanted, finiteness_of(statement, set()))
    linear, others = set[str](), set[str]()
    for read in statement.reads:
        if read.tensor is not None and read.symbol in wanted:
            mentioned = symbols_of(slopes.get(read.symbol, S.Zero))
            plain = statement.reduction in ("=", "sum") and not mentioned & wanted
            (linear if plain else others).add(read.tensor)
    return linear, others


def _by_samples(program: Program, objective: str, dim: str, sums: _Sums) -> Program:
    chosen = [program.statements[number] for number in sums.statements]
    targets = tuple(dict.fromkeys(statement.target for statement in chosen))
    back = program
    if targets != (objective,):
        counted, total = _without_means(program, objective, dim, sums, targets)
        others = [target for target in targets if target != objective]
        back = adjoint(counted, {total: None}, others, stop=others, suffix=_FACTOR)
    made = [_summand(back, statement, dim, objective) for statement in chosen]
    tensor = Tensor(SUMMANDS, (_largest([size for _, size in made]),), Role.COMPUTED)
    return back.extended(tuple(statement for statement, _ in made), {SUMMANDS: tensor})


def _without_means(
    program: Program, objective: str, dim: str, sums: _Sums, targets: tuple[str, ...]
) -> tuple[Program, str]:
    """The program with the objective once more, not divided by numbers of samples; and its name."""
    linear = [program.statements[number] for number in sorted(sums.linear)]
    linear = [s for s in linear if s.target == objective or s.target not in targets]
    names = {statement.target: f"{statement.target}.summed" for statement in linear}
    copies = tuple(_renamed(_without_count(program, statement, dim), names) for statement in linear)
    tensors = {new: replace(program.tensors[old], name=new) for old, new in names.items()}
    return program.extended(copies, tensors), names[objective]


def _renamed(statement: Statement, names: Mapping[str, str]) -> Statement:
    reads = {
        read: read if name is None else read_of(name, read.map)
        for read in statement.reads
        for name in (names.get(read.tensor or ""),)
    }
    symbols = {old.symbol: new.symbol for old, new in reads.items()}
    return replace(
        statement,
        target=names[statement.target],
        expression=replaced(statement.expression, symbols),
        reads=tuple(reads.values()),
    )


def _summand(
    program: Program, statement: Statement, dim: str, objective: str
) -> tuple[Statement, Integer]:
    """A sum before it is added up over samples, weighted as the objective does; and its size."""
    loop = _sample_loop(statement, dim)
    assert loop is not None
    reads, expression = statement.reads, statement.expression
    if statement.target != objective:
        weight = read_of(f"{statement.target}.{_FACTOR}", statement.map)
        reads = (*reads, weight)
        expression = sympy.Mul(weight.symbol, expression)
    below = {t.name: t.below for t in program.tensors.values() if t.below is not None}
    size = greatest(index(loop.index), {one.index: one for one in statement.loops}, below) + 1
    made = replace(
        statement,
        target=SUMMANDS,
        map=(index(loop.index),),
        expression=expression,
        reads=used_reads(expression, reads),
    )
    return made, size


def _largest(sizes: list[Integer]) -> Integer:
    """A size that is as large as each of some, the least of these if one is."""
    for size in sizes:
        if all(nonnegative(size - other) for other in sizes):
            return size
    return sum(sizes, constant(0))


# ── means ────────────────────────────────────────────────────────────────────────────────────────


def _without_count(program: Program, statement: Statement, dim: str) -> Statement:
    """The statement without divisions by the number of samples."""
    reads: dict[sympy.Expr, Read] = {read.symbol: read for read in statement.reads}
    counts = {r.symbol for r in statement.reads if r.tensor is None and dim in r.map[0].dims}
    order = postorder(statement.expression)
    below = {operands(node)[1] for node in order if _divides(node)}
    if any(node.is_Mul and node not in below and counts & set(node.args) for node in order):
        return statement  # as in n * mean(...), which is a sum
    parts: dict[sympy.Expr, sympy.Expr] = {}
    more: list[Read] = []
    for node in filter(_divides, order):
        top, bottom = operands(node)
        factors = operands(bottom) if bottom.is_Mul else (bottom,)
        left = [_count_left(program, factor, reads, dim) for factor in factors]
        if left == list(factors):
            continue
        kept = [factor for factor in left if isinstance(factor, sympy.Expr)]
        sizes = [count_of(f) for f in left if isinstance(f, Integer) and f != constant(1)]
        more += sizes
        kept += [read.symbol for read in sizes]
        whole = replaced(top, parts)
        parts[node] = operators.divide(whole, sympy.Mul(*kept)) if kept else whole
    if not parts:
        return statement
    expression = replaced(statement.expression, parts)
    return replace(
        statement, expression=expression, reads=used_reads(expression, (*statement.reads, *more))
    )


def _divides(node: sympy.Expr) -> bool:
    return isinstance(node, Primitive) and node.record is operators.divide


def _count_left(
    program: Program, factor: sympy.Expr, reads: Mapping[sympy.Expr, Read], dim: str
) -> sympy.Expr | Integer:
    """What is left of a factor below a sum: itself, or a number of points without the samples."""
    inside = factor
    if isinstance(factor, Primitive) and factor.record is operators.maximum:
        inside = operands(factor)[0]  # a number of points that is never below 0
    read = reads.get(inside)
    if read is None:
        return factor
    if read.tensor is not None:
        return constant(1) if _counts(program, read.tensor, dim) else factor
    found = _less(read.map[0], dim)
    return factor if found is None else found


def _less(count: Integer, dim: str) -> Integer | None:
    """A number of points without that of samples, or None if it is not a multiple of that."""
    if dim not in count.dims:
        return None
    factors = []
    for monomial, coefficient in count.terms:
        if Dim(dim) not in monomial:
            return constant(1)  # as n - 1 is
        rest = list(monomial)
        rest.remove(Dim(dim))
        factors.append((tuple(rest), coefficient))
    return Integer(tuple(factors))


def _counts(program: Program, tensor: str, dim: str) -> bool:
    """Whether a tensor is the number of samples that a filter keeps."""
    writers = [s for s in program.statements if s.target == tensor]
    return bool(writers) and all(
        _sample_loop(writer, dim) is not None
        and writer.reduction == "sum"
        and all(map(_is_0_or_1, _choices(writer.expression)))
        for writer in writers
    )


def _choices(expression: sympy.Expr) -> tuple[sympy.Expr, ...]:
    """What a choice is between."""
    if isinstance(expression, Primitive) and expression.record is operators.select:
        return operands(expression)[1:]
    return (expression,)


def _is_0_or_1(node: sympy.Expr) -> bool:
    return (isinstance(node, Constant) and node.value in (0.0, 1.0)) or node in (S.Zero, S.One)


# ── diagnostics ──────────────────────────────────────────────────────────────────────────────────


def _no_samples(span: Span | None) -> Diagnostic:
    return Diagnostic(
        Kind.DERIVATIVE,
        "no-samples",
        "a Fisher matrix adds up samples, and the objective is no sum over samples",
        (Label(span, "this runs over samples, and is no sum"),) if span else (),
        help="sum over samples, `minimize sum(...)`, or say which dim they run over: `sample n`",
    )


def _not_a_sum(dim: str, use: Statement, total: Statement) -> Diagnostic:
    labels = [Label(use.span, "used here in another way than linearly")] if use.span else []
    if total.span and total.span != use.span:
        labels.append(Label(total.span, f"this runs over `{dim}`"))
    return Diagnostic(
        Kind.DERIVATIVE,
        "not-a-sum",
        f"a Fisher matrix adds up samples, and the objective is no plain sum over `{dim}`",
        tuple(labels),
        notes=("it has to be a sum or mean over samples, times what is no parameter, plus terms",),
    )
