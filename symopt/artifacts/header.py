"""The C header: types, entries and status codes, documented."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

import symopt
from symopt.artifacts.entries.status import MESSAGES
from symopt.artifacts.interface import Entry, Interface, Operand, Shape, in_numbers
from symopt.native.targets import Target
from symopt.types import Integer, dim


def header(interface: Interface, source: str, targets: Sequence[Target]) -> str:
    """The header of compiled code; `source` is what the program is called."""
    return "\n".join(_Header(interface, source, tuple(targets)).lines())


class _Header:
    def __init__(self, interface: Interface, source: str, targets: tuple[Target, ...]) -> None:
        self.interface, self.source, self.targets = interface, source, targets
        self.stem, self.upper = interface.stem, interface.stem.upper()

    def lines(self) -> Iterator[str]:
        yield from self._introduction()
        yield f"#ifndef {self.upper}_H"
        yield f"#define {self.upper}_H"
        yield ""
        yield "#include <stdint.h>"
        yield ""
        yield "#ifdef __cplusplus"
        yield 'extern "C" {'
        yield "#endif"
        yield ""
        yield from self._status()
        yield from self._data()
        yield from self._counts()
        for entry in self.interface.entries:
            yield from self._entry(entry)
        yield "#ifdef __cplusplus"
        yield "}"
        yield "#endif"
        yield ""
        yield f"#endif /* {self.upper}_H */"
        yield ""

    def _introduction(self) -> Iterator[str]:
        stem = self.stem
        cpus = ", ".join(map(str, self.targets))
        goal = "maximized" if self.interface.program.maximize else "minimized"
        yield from _comment(
            f"{stem}.h: the loss of {_safe(self.source)}, compiled by symopt "
            f"{symopt.__version__} for {cpus}. Generated: do not edit.",
            "",
            f"The objective is to be {goal}. Its unknowns are the flat vector p of "
            f"{stem}_n(&data) numbers:",
            *(f"  {line}" for line in self._layout()),
            "",
            "Arrays are row-major and apart: neither results nor workspace may overlap anything "
            "else. Every function "
            "may be called from several threads at once, each with a workspace of its own; none "
            "allocates memory, and none but libm is called. On failure a status is returned and "
            f"nothing is written; {self.upper}_NONFINITE is said of what has been written.",
        )

    def _layout(self) -> Iterator[str]:
        """Where each parameter is in the flat vector."""
        offset = Integer(())
        for param in self.interface.program.params.values():
            size = Integer((((), 1),))
            for axis in param.stored_shape:
                size = size * in_numbers(axis, self.interface.sizes)
            note = f": {param.description}" if param.description else ""
            packed = f", {_order(param.packing)}" if param.packing else ""
            where = f"p[{self._size(offset)}]"
            if param.stored_shape:
                where += f" and on, shape {self._shape(param.stored_shape)}"
            yield f"{_safe(param.name)} at {where}{packed}{_safe(note)}"
            offset = offset + size

    # ── types ────────────────────────────────────────────────────────────────────────────────

    def _status(self) -> Iterator[str]:
        yield from _comment("What every function returns.")
        yield "typedef enum {"
        last = len(MESSAGES) - 1
        for number, (status, message) in enumerate(MESSAGES.items()):
            comma = "," if number < last else " "
            yield f"    {self.upper}_{status.name} = {int(status)}{comma} /* {message} */"
        yield f"}} {self.stem}_status;"
        yield ""

    def _data(self) -> Iterator[str]:
        names, interface = self.interface.identifiers, self.interface
        yield from _comment(
            "Sizes and data. The rest may be 0: begin with all zeros, "
            f"`{self.stem}_data data = {{0}};`.",
            *(f"Compiled in: {name} = {size}." for name, size in interface.sizes.items()),
        )
        yield "typedef struct {"
        for name in interface.open_dims:
            note = interface.program.dims[name].description
            yield f"    int64_t {names[name]};{_note(note)}"
        for one in interface.fields:
            kind = "int64_t" if one.integers else interface.real
            words = [self._shape(one.shape) if one.shape else "a number"]
            if one.below is not None:
                words.append(f"indices from 0, below {self._size(one.below)}")
            if one.default is not None:
                words.append(f"null: {one.default!r}")
            elif interface.program.data[one.name].default is not None:
                words.append(f"has a default: {self.stem}_{self._default(one.name)} computes it")
            if one.description:
                words.append(one.description)
            yield f"    const {kind} *{names[one.name]};{_note('; '.join(words))}"
        check = f"1: the indices have passed {self.stem}_check, do not look at them again"
        yield f"    int64_t checked;{_note(check)}"
        finite = f"1: a result that is nan or infinite somewhere is {self.upper}_NONFINITE"
        yield f"    int64_t finite;{_note(finite)}"
        yield f"}} {self.stem}_data;"
        yield ""

    def _default(self, name: str) -> str:
        """The entry that computes the default of data."""
        definition = self.interface.program.data[name].default
        entries = (one for one in self.interface.setups if one.lenient)
        return next(e.name for e in entries if e.outputs[0].parts[0].tensor == definition)

    # ── functions ────────────────────────────────────────────────────────────────────────────

    def _counts(self) -> Iterator[str]:
        stem = self.stem
        yield from _comment("How many unknowns there are; minus a status for sizes that cannot be.")
        yield f"int64_t {stem}_n(const {stem}_data *data);"
        yield ""
        if self.interface.cut:
            names = ", ".join(map(_safe, self.interface.cut))
            yield from _comment(f"How many residuals there are ({names}); or minus a status.")
            yield f"int64_t {stem}_m(const {stem}_data *data);"
            yield ""
        yield from _comment(
            "Looks at sizes, pointers and every index. Where this is fine, `checked` may be 1, and "
            "calls do not look at the indices again: change none of them then."
        )
        yield f"int32_t {stem}_check(const {stem}_data *data);"
        yield ""
        yield from _comment(
            "Which build this is: programs that were made for another one should not use it."
        )
        yield f"const char *{stem}_build(void);"
        yield ""
        yield from _comment("A status, or minus a status, in words.")
        yield f"const char *{stem}_message(int32_t status);"
        yield ""

    def _entry(self, entry: Entry) -> Iterator[str]:
        name, data = f"{self.stem}_{entry.name}", f"const {self.stem}_data *data"
        lines = [f"{entry.summary[0].upper()}{entry.summary[1:]}."]
        lines += [f"  {one.name}: {self._array(one)}" for one in (*entry.inputs, *entry.outputs)]
        lines.append(f"  work: at least {name}_workspace(data) bytes, null where that is 0")
        yield from _comment(*(line.replace("*/", "* /") for line in lines))
        inputs = [f"const {self.interface.real} *{one.name}" for one in entry.inputs]
        outputs = [
            f"{'double' if one.number else self.interface.real} *{one.name}"
            for one in entry.outputs
        ]
        arguments = [data, *inputs, *outputs, "void *work", "int64_t work_size"]
        yield from _declaration(f"int32_t {name}", arguments)
        yield f"int64_t {name}_workspace({data});"
        yield ""

    def _array(self, operand: Operand) -> str:
        if operand.name == "draws":
            kinds = [
                f"{draw.distribution} {self._shape(draw.shape)}"
                for draw in self.interface.program.draws
            ]
            return f"random numbers that the start is made of, in this order: {', '.join(kinds)}"
        if operand.number:
            return "a number"
        return self._shape(operand.matrix) if operand.matrix else "a number"

    def _shape(self, shape: Shape) -> str:
        return "".join(f"[{self._size(size)}]" for size in shape)

    def _size(self, size: Integer) -> str:
        """A size in the names that C has for dims."""
        known, names = in_numbers(size, self.interface.sizes), self.interface.identifiers
        return str(known.with_sizes({name: dim(names[name]) for name in known.dims}))


def _order(packing: str) -> str:
    """How the unknowns of a packed array stand."""
    below = "row by row below the diagonal"
    rows = below if packing == "strict lower" else "row by row up to the diagonal"
    return f"the unknowns of a {packing} array, {rows}"


def _declaration(head: str, arguments: list[str]) -> Iterator[str]:
    """A function's, on several lines where it is long."""
    line = f"{head}({', '.join(arguments)});"
    if len(line) <= 100:
        yield line
        return
    yield f"{head}("
    yield f"    {', '.join(arguments)});"


def _comment(*paragraphs: str) -> Iterator[str]:
    """Lines of a C comment, folded."""
    lines = [line for text in paragraphs for line in _folded(text, 92)]
    if len(lines) == 1:
        yield f"/* {lines[0]} */"
        return
    for number, line in enumerate(lines):
        yield f"{'/*' if number == 0 else ' *'} {line}".rstrip()
    yield " */"


def _folded(text: str, width: int) -> Iterator[str]:
    """A paragraph in lines; the indent of the first is that of all."""
    indent = text[: len(text) - len(text.lstrip())]
    yield from textwrap.wrap(
        text, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    ) or [""]


def _note(text: str | None) -> str:
    return f" /* {_safe(text)} */" if text else ""


def _safe(text: str) -> str:
    """Text in one line that neither ends a comment nor begins another, without trigraphs."""
    parted = " ".join(text.split()).replace("*/", "* /").replace("/*", "/ *")
    return re.sub(r"\?(?=\?)", "? ", parted)
