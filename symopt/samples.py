"""The sample dim of a program, and where its rows are, if any of them alone make a problem.

They do where nothing looks from one sample at another or asks for a sample's number. Rows of all
data at the same places then are the data of the same problem with fewer samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from symopt.diagnostics import DataError, Diagnostic, Kind, Label
from symopt.loops.axis import open_dims
from symopt.source import Span
from symopt.statements.program import Program, Statement
from symopt.typed import program as typed
from symopt.types import Clamp, Dim, Entry, Index, Integer, Quotient, Remainder, constant, dim

Shapes = Mapping[str, tuple[Integer, ...]]


@dataclass(frozen=True, slots=True)
class Samples:
    """The sample dim, and by name the axes of all data that run over it."""

    dim: str
    axes: Mapping[str, tuple[int, ...]]


def samples_of(program: typed.Program, statements: Program) -> Samples:
    """The samples of a program; raises a DataError where it has none that stand alone.

    Of several dims that could be the sample dim, it is the one whose samples do.
    """
    names = sorted(open_dims(statements, program.sample))
    if program.sample is not None:
        names = [program.sample]
    refusals = {name: list(_refusals(name, program, statements)) for name in names}
    alone = [name for name in names if not refusals[name]]
    if len(alone) > 1:
        raise DataError(_ambiguous(alone))
    if not names:
        raise DataError(_no_samples())
    if not alone:
        raise DataError(*(found[0] for found in refusals.values()))
    (name,) = alone
    size = dim(name)
    axes = {
        data.name: tuple(axis for axis, extent in enumerate(data.shape) if extent == size)
        for data in program.data.values()
    }
    return Samples(name, {data: places for data, places in axes.items() if places})


def _refusals(name: str, program: typed.Program, statements: Program) -> Iterator[Diagnostic]:
    """Why some samples of a dim alone make no problem."""
    size = dim(name)
    for data in program.data.values():
        if data.index_of is not None and name in data.index_of.dims:
            yield _refused(name, f"the entries of `{data.name}` are numbers of samples", data.span)
        elif any(name in extent.dims and extent != size for extent in data.shape):
            yield _refused(name, f"`{data.name}` has not one entry per sample", data.span)
    for param in program.params.values():
        if any(name in extent.dims for extent in param.shape):
            yield _refused(name, f"parameter `{param.name}` belongs to samples", param.span)
    shapes = {tensor.name: tensor.shape for tensor in statements.tensors.values()}
    shapes |= {data.name: data.shape for data in program.data.values()}
    for statement in statements.statements:
        reason = _Places(name, shapes, statement).reason()
        if reason is not None:
            yield _refused(name, reason, statement.span)


@dataclass(frozen=True, slots=True)
class _Places:
    """What one statement reads and writes, sample by sample."""

    name: str
    shapes: Shapes
    statement: Statement

    def reason(self) -> str | None:
        """Why the statement is not of single samples; None if it is."""
        running: set[str] = set()
        for loop in self.statement.loops:
            if loop.lower == constant(0) and loop.upper == dim(self.name):
                running.add(loop.index)
            elif self._of_samples(loop.lower, running) or self._of_samples(loop.upper, running):
                return f"the range of `{loop.index}` depends on samples"
        reads = [(read.tensor, read.map) for read in self.statement.reads]
        for tensor, places in [(self.statement.target, self.statement.map), *reads]:
            if tensor is None:
                if self._numbers(places[0], running):
                    return "the number of a sample is used"
            elif self._sideways(tensor, places, running):
                return f"`{tensor}` is not read at the sample at hand alone"
        return None

    def _sideways(self, tensor: str, places: tuple[Integer, ...], running: set[str]) -> bool:
        """Whether an element is at other samples than those that run."""
        for place, extent in zip(places, self.shapes[tensor], strict=True):
            if self.name in extent.dims:
                if extent != dim(self.name) or place.index not in running:
                    return True
            elif self._of_samples(place, running):
                return True
        return False

    def _of_samples(self, value: Integer, running: set[str]) -> bool:
        """Whether an integer depends on how many samples there are or on the number of one."""
        return self._mentions(value, running, counting=True)

    def _numbers(self, value: Integer, running: set[str]) -> bool:
        """Whether an integer depends on the number of a sample."""
        return self._mentions(value, running, counting=False)

    def _mentions(self, value: Integer, running: set[str], counting: bool) -> bool:
        for monomial, _ in value.terms:
            for item in monomial:
                match item:
                    case Dim(name):
                        found = counting and name == self.name
                    case Index(name):
                        found = name in running
                    case Entry(tensor, places):
                        found = self._sideways(tensor, places, running)
                    case Quotient(a, b) | Remainder(a, b) | Clamp(a, b):
                        parts = (self._mentions(part, running, counting) for part in (a, b))
                        found = any(parts)
                if found:
                    return True
        return False


def _refused(name: str, reason: str, span: Span | None) -> Diagnostic:
    return Diagnostic(
        Kind.DATA,
        "no-batch",
        f"some samples of `{name}` alone make no problem: {reason}",
        () if span is None else (Label(span, "here"),),
        help="a batch needs data and definitions that belong to one sample each",
    )


def _ambiguous(names: list[str]) -> Diagnostic:
    return Diagnostic(
        Kind.DATA,
        "no-batch",
        f"a batch may be of {' or of '.join(f'`{name}`' for name in names)}",
        help=f"say which dim is the sample dim: `sample {names[0]}`",
    )


def _no_samples() -> Diagnostic:
    return Diagnostic(Kind.DATA, "no-batch", "no dim of the program is of samples")
