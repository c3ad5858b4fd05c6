"""A loss as plain NumPy code that people can read, for generated tests: real and complex.

It is written from the statements of the value alone, as the definitions of the file make them:
nothing of it comes from the transformations that make derivatives, nor from loops or native code.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import sympy

from symopt.artifacts.oracle.parts import copied
from symopt.artifacts.oracle.text import (
    Expressions,
    Names,
    element_text,
    integer_text,
    number_text,
    tuple_text,
)
from symopt.derive.simplify import drop_dead
from symopt.primitives.record import Primitive
from symopt.primitives.robust import ROBUST_LOSSES
from symopt.statements.expression import postorder
from symopt.statements.program import IDENTITY, Program, Read, Role, Statement, sections
from symopt.typed import program as typed
from symopt.typed.packing import positions_name
from symopt.types import Integer, Range

if TYPE_CHECKING:
    from symopt.compiler import Stages
    from symopt.model import Model

_WIDTH = 96
_HELPERS = {
    "prod": "multiply",
    "max": "largest",
    "min": "smallest",
    "logsumexp": "log_sum_exp",
    "determinant": "determinant",
    "inverse": "inverse",
    "cholesky": "cholesky",
    "logdet": "logdet",
}


def oracle_source(model: Model) -> str:
    """A module of NumPy code that evaluates the loss of a model; what it has, its text says.

    `value(p, data)` is the objective at a flat vector, where `data` has sizes and arrays by name.
    With a cut, it is `loss(cut(p, data), p, data)`; `defaults(data)` are data that were left out.
    """
    functions, used = oracle_functions_of(model)
    return f"import math\n\nimport numpy as np\n\n{copied(used)}\n\n\n{functions}\n"


def oracle_functions_of(
    model: Model, definitions: Iterable[str] = ()
) -> tuple[str, tuple[str, ...]]:
    """The functions of the loss alone, and the names of the pieces that these use.

    With `definitions`, there is one that gives these by name.
    """
    stages = model.stages
    task, names = stages.task, Names()
    writer = _Module(stages, names)
    blocks: list[str] = []
    missing = tuple(data for data in stages.program.data.values() if data.default is not None)
    if missing:
        blocks.append(writer.defaults(missing))
    if task.cut:
        blocks.append(writer.cut())
    if task.objective is not None:
        blocks.append(writer.loss() if task.cut else writer.value())
    if task.objective is not None and task.cut:
        blocks.append(_VALUE)
    if definitions:
        blocks.append(writer.definitions(tuple(definitions)))
    return "\n\n\n".join(blocks), tuple(sorted(writer.used))


_VALUE = '''def value(p, data):
    """The objective at the flat point p."""
    return loss(cut(p, data), p, data)'''


def is_robust(stages: Stages) -> bool:
    """Whether the objective has robust losses of residuals."""
    rho = {loss.rho for loss in ROBUST_LOSSES.values()}
    return any(
        isinstance(node, Primitive) and node.record in rho
        for statement in stages.task.program.statements
        for node in postorder(statement.expression)
    )


@dataclass(slots=True)
class _Module:
    """Writes the functions of one loss."""

    stages: Stages
    names: Names
    used: set[str] = field(default_factory=set)

    def value(self) -> str:
        """The objective from parameters."""
        objective = self.stages.task.objective
        assert objective is not None
        program = _asked(self.stages.task.program, (objective,))
        head = ["def value(p, data):", '    """The objective at the flat point p."""']
        return self._function(head, program, "p", f"return {self.names.tensor(objective)}")

    def cut(self) -> str:
        """The cut from parameters."""
        task = self.stages.task
        program = _asked(task.program, task.cut)
        listed = ", ".join(task.cut)
        head = ["def cut(p, data):", f'    """The cut ({listed}) at the flat point p, flat."""']
        self.used.add("joined")
        result = ", ".join(map(self.names.tensor, task.cut))
        return self._function(head, program, "p", f"return joined({result})")

    def loss(self) -> str:
        """The objective from the cut and the parameters that it reads directly."""
        task = self.stages.task
        assert task.objective is not None
        given = {n: replace(task.program.tensors[n], role=Role.PARAM) for n in task.cut}
        kept = tuple(s for s in task.program.statements if s.target not in given)
        outer = replace(task.program, statements=kept, tensors={**task.program.tensors, **given})
        program = _asked(outer, (task.objective,))
        head = ["def loss(cut, p, data):", '    """The objective as a function of the cut."""']
        if is_robust(self.stages):
            head = [
                "def loss(cut, p, data, near=None):",
                '    """The objective as a function of the cut; for `near` see `robust`."""',
            ]
        return self._function(
            head, program, "p, cut", f"return {self.names.tensor(task.objective)}", task.cut
        )

    def definitions(self, wanted: tuple[str, ...]) -> str:
        """Definitions by name, from parameters."""
        program = _asked(self.stages.task.program, wanted)
        head = ["def definitions(p, data):", '    """Definitions by name, at the flat point p."""']
        found = ", ".join(f"{quoted(name)}: {self.names.tensor(name)}" for name in wanted)
        return self._function(head, program, "p", f"return {{{found}}}")

    def defaults(self, wanted: tuple[typed.Data, ...]) -> str:
        """The data that have defaults, from the rest."""
        own = {data.default: data.name for data in wanted}
        setup = self.stages.setup
        computed = {name: replace(setup.tensors[name], role=Role.COMPUTED) for name in own.values()}
        program = replace(
            setup,
            statements=tuple(
                replace(s, target=own.get(s.target, s.target)) for s in setup.statements
            ),
            tensors={**setup.tensors, **computed},
        )
        head = ["def defaults(data):", '    """The data that have defaults, from the rest."""']
        found = [
            f"{quoted(data.name)}: {self.names.tensor(data.name)}"
            + (".astype(int)" if data.index_of is not None else "")
            for data in wanted
        ]
        asked = _asked(program, tuple(own.values()))
        return self._function(head, asked, "", f"return {{{', '.join(found)}}}")

    def _function(
        self, head: list[str], program: Program, kinds: str, result: str, given: Iterable[str] = ()
    ) -> str:
        body = _Body(program, self.names, self.used, self.stages.source.name)
        lines = body.lines()
        first = self._given(program, tuple(given))
        kind = f"kind = np.result_type({kinds})" if kinds else "kind = float"
        return "\n".join(
            [*head, *(f"    {line}" for line in (*first, kind, *lines, *wrapped(result)))]
        )

    def _given(self, program: Program, given: tuple[str, ...]) -> list[str]:
        """Lines that take sizes, data and parameters from what the function is given."""
        read = _mentioned(program)
        stages, names, lines = self.stages, self.names, list[str]()
        params = [name for name in stages.program.params if name in read]
        dims = {name for name in stages.program.dims if name in read}
        if params:
            dims |= {
                dim
                for param in stages.program.params.values()
                for size in param.stored_shape
                for dim in size.dims
            }
        dims |= {d for n in given for size in program.tensors[n].shape for d in size.dims}
        own = {statement.target for statement in program.statements}
        data = [name for name in stages.program.data if name in read and name not in own]
        for group in ([n for n in stages.program.dims if n in dims], data):
            if group:
                left = ", ".join(map(names.tensor, group))
                right = ", ".join(f"data[{quoted(name)}]" for name in group)
                lines.extend(wrapped(f"{left} = {right}"))
        for param in stages.program.params.values():
            if positions_name(param.name) in read and param.packing is not None:
                self.used.add("positions")
                place = names.tensor(positions_name(param.name))
                side = integer_text(param.shape[-1], names)
                lines.append(f'{place} = positions("{param.packing}", {side})')
        if params:
            lines.append(self._parts(tuple(stages.program.params), "p"))
        if given:
            lines.append(self._parts(given, "cut"))
        return lines

    def _parts(self, wanted: tuple[str, ...], source: str) -> str:
        tensors, names = self.stages.task.program.tensors, self.names
        self.used.add("parts")
        shapes = ", ".join(_shape_text(tensors[name].shape, names) for name in wanted)
        left = tuple_text(map(names.tensor, wanted))
        return f"{left[1:-1] if len(wanted) > 1 else left} = parts({source}, {shapes})"


def quoted(name: str) -> str:
    """The name as a text of Python."""
    return f'"{name}"'


def _asked(program: Program, outputs: tuple[str, ...]) -> Program:
    return drop_dead(replace(program, outputs=outputs))


def _mentioned(program: Program) -> set[str]:
    """The tensors and dims that statements read."""
    found: set[str] = set(program.outputs)
    for statement in program.statements:
        integers = [*statement.map, *program.tensors[statement.target].shape]
        integers += [edge for loop in statement.loops for edge in (loop.lower, loop.upper)]
        for read in statement.reads:
            integers += read.map
            if read.tensor is not None:
                found.add(read.tensor)
        for value in integers:
            found |= value.dims | value.tensors
    return found


def _shape_text(shape: tuple[Integer, ...], names: Names) -> str:
    texts: list[str] = []
    for size in shape:
        text = integer_text(size, names)
        may_be_negative = any(coefficient < 0 for _, coefficient in size.terms)
        texts.append(f"max({text}, 0)" if may_be_negative else text)
    return tuple_text(texts)


# ── statements ───────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Body:
    """The statements of a program as lines of Python."""

    program: Program
    names: Names
    used: set[str]
    file: str
    made: set[str] = field(default_factory=set)
    running: str = ""  # the line that set the indices as they are
    shown: tuple[str, int] = ("", 0)
    expressions: Expressions = field(init=False)

    def __post_init__(self) -> None:
        self.expressions = Expressions(self.used)

    def lines(self) -> list[str]:
        """All statements in order."""
        return list(self._section(self.program.statements, ()))

    def _section(self, statements: tuple[Statement, ...], at: tuple[Range, ...]) -> Iterator[str]:
        for section in sections(statements, len(at)):
            if len(section[0].steps) <= len(at):
                for statement in section:
                    yield from self._source(statement)
                    yield from self._statement(statement, len(at))
                continue
            for statement in section:
                yield from self._target(statement)
            first = section[0]
            loop, step = first.loops[len(at)], first.steps[len(at)]
            lower, upper = (integer_text(edge, self.names) for edge in (loop.lower, loop.upper))
            numbers = f"range({upper})" if lower == "0" else f"range({lower}, {upper})"
            numbers = f"reversed({numbers})" if step.backward else numbers
            variable = self.names.index(loop.index)
            yield f"for {variable} in {numbers}:"
            self.running = ""
            others = {self.names.index(s.loops[len(at)].index) for s in section} - {variable}
            yield from (f"    {other} = {variable}" for other in sorted(others))
            yield from (f"    {line}" for line in self._section(section, (*at, loop)))
            self.running = ""

    def _source(self, statement: Statement) -> Iterator[str]:
        """The line of the file that a statement comes from, where that is another one."""
        span = statement.span
        if span is None:
            return
        number, _ = span.source.line_column(span.start)
        place = span.source.name, number
        if place != self.shown:
            self.shown = place
            text = " ".join(span.source.line(number).split())
            name = "line" if span.source.name == self.file else f"{span.source.name}, line"
            yield textwrap.shorten(f"# {name} {number}: {text}", _WIDTH, placeholder=" ...")

    def _target(self, statement: Statement) -> Iterator[str]:
        """The array that a statement writes first, as it is before."""
        name = statement.target
        if name in self.made:
            return
        self.made.add(name)
        shape = _shape_text(self.program.tensors[name].shape, self.names)
        identity = IDENTITY[statement.reduction]
        made = {0.0: f"np.zeros({shape}, kind)", 1.0: f"np.ones({shape}, kind)"}.get(
            identity, f"np.full({shape}, {number_text(identity)}, kind)"
        )
        yield f"{self.names.tensor(name)} = {made}"

    def _points(self, loops: tuple[Range, ...]) -> Iterator[str]:
        """The line that makes the indices of loops, unless they are there."""
        if not loops:
            return
        self.used.add("points")
        inner: list[str] = []
        texts: list[str] = []
        for loop in loops:
            edges = [integer_text(edge, self.names) for edge in (loop.lower, loop.upper)]
            text = edges[1] if loop.lower.value == 0 else f"({edges[0]}, {edges[1]})"
            outer = (loop.lower.indices | loop.upper.indices) & {o.index for o in loops}
            texts.append(f"lambda {', '.join(inner)}: {text}" if outer else text)
            inner.append(self.names.index(loop.index))
        left = ", ".join(inner) if len(inner) > 1 else f"({inner[0]},)"
        line = f"{left} = points({', '.join(texts)})"
        if line != self.running:
            self.running = line
            yield from wrapped(line)

    def _statement(self, statement: Statement, level: int) -> Iterator[str]:
        """One statement at a point of the steps that it is in."""
        whole = self._written_once(statement)
        if not whole:
            yield from self._target(statement)
        if statement.of_matrix:
            yield from self._matrix(statement, level)
            return
        loops = statement.loops[level:]
        yield from self._points(loops)
        inner = {loop.index for loop in loops}
        text = self._expression(statement)
        constant = inner and not (inner & _indices(statement))
        if constant and statement.reduction != "=":
            text = f"np.full({self.names.index(loops[-1].index)}.shape, {text})"
        place = tuple(integer_text(part, self.names) for part in statement.map)
        spread = any(part.indices & inner for part in statement.map)
        if whole:
            self.made.add(statement.target)
            total = f"np.sum({text})" if inner else text
            yield from wrapped(f"{self.names.tensor(statement.target)} = {total}")
            return
        yield from wrapped(self._update(statement, tuple_text(place), text, spread, bool(inner)))

    def _written_once(self, statement: Statement) -> bool:
        """Whether this is all there is of a number, so that no array needs to be made for it."""
        alone = sum(s.target == statement.target for s in self.program.statements) == 1
        plain = statement.reduction in ("=", "sum") and not statement.steps
        return alone and plain and not statement.map

    def _update(
        self, statement: Statement, place: str, text: str, spread: bool, looping: bool
    ) -> str:
        """The line that brings the values at all points to their places."""
        target = self.names.tensor(statement.target)
        bare = place[1:-1].removesuffix(",") or "()"
        match statement.reduction:
            case "=":
                return f"{target}[{bare}] = {text}"
            case "sum" if spread:
                return f"np.add.at({target}, {place}, {text})"
            case "sum":
                return f"{target}[{bare}] += {f'np.sum({text})' if looping else text}"
            case other:
                self.used.add(_HELPERS[other])
                return f"{_HELPERS[other]}({target}, {place}, {text})"

    def _expression(self, statement: Statement) -> str:
        symbols: dict[sympy.Expr, str] = {r.symbol: self._read(r) for r in statement.reads}
        return self.expressions.text(statement.expression, symbols)

    def _read(self, read: Read) -> str:
        if any("clamp" in integer_text(part, self.names) for part in read.map):
            self.used.add("clamp")
        if read.tensor is None:
            return f"1.0 * {integer_text(read.map[0], self.names, 2)}"
        return element_text(read.tensor, read.map, self.names)

    def _matrix(self, statement: Statement, level: int) -> Iterator[str]:
        """A function of the matrices that are read, one after another."""
        (read,) = statement.reads
        target = self.names.tensor(statement.target)
        side = integer_text(statement.loops[-1].upper, self.names)
        function = _HELPERS[statement.reduction]
        self.used |= {"of_matrices", function}
        yield from self._points((*statement.around, *statement.loops[-2:])[level:])
        found = f"of_matrices({function}, {self._read(read)}, {side})"
        written = statement.loops[level : len(statement.loops) - 2]
        place = tuple_text(integer_text(part, self.names) for part in statement.map)
        bare = place[1:-1].removesuffix(",")
        if not written:
            yield f"{target}[{bare or '()'}] = {found}[0]"
            return
        yield f"stack = {found}"
        yield from self._points(written)
        yield f"{target}[{bare}] = stack"


def _indices(statement: Statement) -> set[str]:
    """The loop indices that the value of a statement depends on."""
    return {name for read in statement.reads for part in read.map for name in part.indices}


def wrapped(line: str) -> Iterator[str]:
    """A line, broken inside its brackets where it is long."""
    if len(line) <= _WIDTH:
        yield line
        return
    sign = " += " if " += " in line else " = "
    head, assign, rest = line.partition(sign)
    if assign:
        yield f"{head}{assign}("
        yield from _broken(rest)
        yield ")"
        return
    opening = line.index("{" if line.startswith("return {") else "(") + 1
    yield line[:opening]
    yield from _broken(line[opening:-1])
    yield line[-1]


def _broken(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH - 4,
        initial_indent="    ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
