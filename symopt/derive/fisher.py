"""Fisher matrices: from the gradients of samples, or from the model of a known likelihood."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import sympy
from sympy import S

from symopt.derive.activity import (
    depending_on,
    finiteness_of,
    real_reads,
    wild_tensors,
)
from symopt.derive.elements import element_loops
from symopt.derive.scalar import weights
from symopt.diagnostics import DerivativeUnavailable, Diagnostic, Kind, Label
from symopt.primitives import operators
from symopt.statements.build import used_reads
from symopt.statements.program import Program, Read, Role, Statement, Tensor, count_of, read_of
from symopt.types import Integer, Range, constant, index

_MEAN = "mean.gradient"  # over samples


def outer_products(program: Program, summands: tuple[str, ...], columns: Integer) -> Program:
    """The lower triangle of Σ g gᵀ, from the changes of the samples' summands by columns."""

    def weighed(place: Read, other: Read) -> tuple[sympy.Expr, tuple[Read, ...]]:
        return sympy.Mul(place.symbol, other.symbol), (place, other)

    return _with_triangle(program, _changes(program, summands), columns, weighed)


def covariance(program: Program, summands: tuple[str, ...], columns: Integer) -> Program:
    """The lower triangle of E (g - E g)(g - E g)ᵀ over samples, from the same changes."""
    shapes = [program.tensors[name].shape for name in summands]
    count = count_of(sum((_size(shape) for shape in shapes), constant(0)))
    changes = _changes(program, summands)
    means = tuple(_mean(change, count) for change in changes)
    averaged = program.extended(means, {_MEAN: Tensor(_MEAN, (columns,), Role.COMPUTED)})

    def weighed(place: Read, other: Read) -> tuple[sympy.Expr, tuple[Read, ...]]:
        at, across = (read_of(_MEAN, read.map[-1:]) for read in (place, other))
        product = sympy.Mul(place.symbol - at.symbol, other.symbol - across.symbol)
        reads = (place, other, at, across, count)
        return operators.divide(product, count.symbol), reads

    return _with_triangle(averaged, changes, columns, weighed)


def _changes(program: Program, summands: tuple[str, ...]) -> tuple[Tensor, ...]:
    """The changes of those summands that have any."""
    names = [f"{name}.dot" for name in summands]
    return tuple(program.tensors[name] for name in names if name in program.tensors)


def _mean(change: Tensor, count: Read) -> Statement:
    loops, place = element_loops(change.shape)
    read = read_of(change.name, place)
    expression = operators.divide(read.symbol, count.symbol)
    return Statement(_MEAN, place[-1:], loops, "sum", expression, (read, count))


def _with_triangle(
    program: Program,
    changes: tuple[Tensor, ...],
    columns: Integer,
    weighed: Callable[[Read, Read], tuple[sympy.Expr, tuple[Read, ...]]],
) -> Program:
    """The program with the sum over samples of a product of two entries, as its output."""
    matrix = Tensor("fisher", (columns, columns), Role.COMPUTED)
    place = (index("row"), index("column"))
    triangle = (
        Range("row", constant(0), columns),
        Range("column", constant(0), index("row") + 1),
    )
    statements: list[Statement] = []
    for change in changes:
        loops, sample = element_loops(change.shape[:-1])
        expression, reads = weighed(*(read_of(change.name, (*sample, at)) for at in place))
        reads = used_reads(expression, reads)
        statements.append(
            Statement(matrix.name, place, (*loops, *triangle), "sum", expression, reads)
        )
    whole = program.extended(tuple(statements), {matrix.name: matrix})
    return replace(whole, outputs=(matrix.name,))


def _size(shape: tuple[Integer, ...]) -> Integer:
    size = constant(1)
    for extent in shape:
        size = size * extent
    return size


def check_canonical(
    program: Program, bent: Program, cut: tuple[str, ...], params: tuple[str, ...]
) -> None:
    """Raises DerivativeUnavailable unless a loss is known as a canonical negative log-likelihood.

    That is one whose second derivative by the cut and the parameters read directly does not depend
    on what was observed, so that it is its own expectation: it is a number; or else data that it
    does not depend on enter the first derivative, as y does in exp(z) - y z. `bent` is `program`
    followed by the adjoint of the loss down to the cut.
    """
    loss = _Loss(program, bent, frozenset(cut), params)
    second = list(loss.second())
    moving = [part for part in second if part.moves]
    first = loss.data_of_gradient()
    known = frozenset[str]().union(*(part.data for part in second))
    if moving and not first - known:
        worst = next((part for part in moving if part.data), moving[0])
        raise DerivativeUnavailable(_not_canonical(worst))


@dataclass(frozen=True, slots=True)
class _Second:
    """A second derivative of a loss: what data it reads, and whether it changes with the model."""

    statement: Statement
    data: frozenset[str]
    moves: bool


@dataclass(frozen=True, slots=True)
class _Loss:
    """What the derivatives of a loss depend on, the cut being taken as given."""

    program: Program
    bent: Program
    cut: frozenset[str]
    params: tuple[str, ...]

    @property
    def back(self) -> tuple[Statement, ...]:
        """The statements of the adjoint."""
        return self.bent.statements[len(self.program.statements) :]

    def origins(self) -> dict[str, frozenset[str]]:
        """For every tensor the data, cut tensors and parameters that it depends on."""
        found: dict[str, frozenset[str]] = {}
        for name, tensor in self.bent.tensors.items():
            given = name in self.cut or tensor.role is not Role.COMPUTED
            found[name] = frozenset({name}) if given else frozenset()
        for statement in self.bent.statements:
            if statement.target not in self.cut:
                here = _mentioned(statement.reads, found) | _placed(statement)
                found[statement.target] = found[statement.target] | here
        return found

    def second(self) -> Iterator[_Second]:
        """The second derivatives, one for each that a statement of the adjoint has."""
        origins, wild = self.origins(), wild_tensors(self.bent)
        moving = self.cut | frozenset(self.params)
        loss = depending_on(self.program, moving)
        for statement in self.back:
            wanted = real_reads(self.bent, statement, loss)
            slopes = weights(statement.expression, S.One, wanted, finiteness_of(statement, wild))
            for read in statement.reads:
                if read.symbol in slopes:
                    used = used_reads(slopes[read.symbol], statement.reads)
                    sources = _mentioned(used, origins) | _placed(statement) | _indices((read,))
                    yield _Second(statement, self.data(sources), bool(sources & moving))

    def data_of_gradient(self) -> frozenset[str]:
        """The data that the first derivative depends on."""
        origins = self.origins()
        wanted = {f"{name}.bar" for name in (*self.cut, *self.params)}
        return self.data(
            frozenset[str]().union(*(origins[name] for name in wanted if name in origins))
        )

    def data(self, names: frozenset[str]) -> frozenset[str]:
        given = (Role.DATA, Role.INDICES)
        return frozenset(name for name in names if self.bent.tensors[name].role in given) - self.cut


def _mentioned(reads: tuple[Read, ...], origins: dict[str, frozenset[str]]) -> frozenset[str]:
    """What some reads depend on, through their values and their places."""
    values = (origins[read.tensor] for read in reads if read.tensor is not None)
    return frozenset[str]().union(*values) | _indices(reads)


def _indices(reads: tuple[Read, ...]) -> frozenset[str]:
    return frozenset[str]().union(*(place.tensors for read in reads for place in read.map))


def _placed(statement: Statement) -> frozenset[str]:
    """The index arrays that say where a statement writes."""
    return frozenset[str]().union(*(place.tensors for place in statement.map))


def _not_canonical(part: _Second) -> Diagnostic:
    span = part.statement.span
    if part.data:
        names = " and ".join(f"`{name}`" for name in sorted(part.data))
        found = f"its second derivative by the model's outputs depends on {names}"
    else:
        found = "its second derivative changes with the model's outputs, and it reads no data"
    return Diagnostic(
        Kind.DERIVATIVE,
        "not-canonical",
        "the model's Fisher matrix is known only for canonical likelihoods, and this loss is none",
        (Label(span, found),) if span else (),
        notes=() if span else (found,),
        help='use kind="empirical", or `gauss_newton`; canonical are a squared error, '
        "softplus(z) - y*z, cross_entropy(z, label), exp(z) - y*z and their like, of `model z`",
    )
