"""Mistakes as data: what is wrong, where, what was found, and the likely fix."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from symopt.source import Span


class Severity(Enum):
    ERROR = "error"
    WARNING = "warning"


class Kind(Enum):
    """Which exception class a diagnostic belongs to."""

    PARSE = "parse"  # the text is not a program: syntax and names
    SHAPE = "shape"  # dims, shapes, indices and ranges
    DATA = "data"  # what was bound, or asked for, does not fit
    DERIVATIVE = "derivative"  # the derivative does not exist
    NONFINITE = "non-finite"  # a value is nan or inf


@dataclass(frozen=True, slots=True)
class Label:
    """A place and what was found there."""

    span: Span
    message: str = ""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake. The first label is the primary one; others explain it.

    `code` is a readable slug such as `unknown-name`; `message` says what is wrong, a label
    what was found there, `notes` add facts and `help` says what to do.
    """

    kind: Kind
    code: str
    message: str
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: str | None = None
    severity: Severity = Severity.ERROR

    @property
    def place(self) -> tuple[str, int]:
        """Sort key: source order."""
        if not self.labels:
            return "", -1
        span = self.labels[0].span
        return span.source.name, span.start


class SymoptError(Exception):
    """Any mistake in a program or its data; `.diagnostics` holds all that were found."""

    kind: ClassVar[Kind | None] = None

    def __init__(self, *diagnostics: Diagnostic) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = diagnostics
        super().__init__(render(diagnostics))


class ParseError(SymoptError):
    """The text is not a program: its syntax or its names are wrong."""

    kind = Kind.PARSE


class ShapeError(SymoptError):
    """Shapes, dims, indices or ranges do not fit together."""

    kind = Kind.SHAPE


class DataError(SymoptError):
    """Data, parameters or options do not fit the program."""

    kind = Kind.DATA


class DerivativeUnavailable(SymoptError):
    """The objective has no derivative by a parameter, or none of the kind asked for."""

    kind = Kind.DERIVATIVE


class NonFiniteError(SymoptError):
    """A value is nan or inf where the run starts."""

    kind = Kind.NONFINITE


class CompileError(RuntimeError):
    """A fault of symopt itself, never of the program: please report it."""


def failure(diagnostics: Iterable[Diagnostic]) -> SymoptError:
    """The exception for some diagnostics, its class that of the first in source order."""
    ordered = sorted(diagnostics, key=lambda diagnostic: diagnostic.place)
    classes = {c.kind: c for c in SymoptError.__subclasses__()}
    return classes[ordered[0].kind](*ordered)


class Report:
    """Collects the diagnostics of one stage, so that one run shows every mistake."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []

    def add(self, diagnostic: Diagnostic) -> None:
        """Record a diagnostic, once."""
        if diagnostic not in self.diagnostics:
            self.diagnostics.append(diagnostic)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(d for d in self.diagnostics if d.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        return tuple(d for d in self.diagnostics if d.severity is Severity.WARNING)

    def stop_if_errors(self) -> None:
        """Raise the collected errors, if there are any."""
        if self.errors:
            raise failure(self.errors)


_RED, _YELLOW, _BLUE, _BOLD, _RESET = "\33[31m", "\33[33m", "\33[34m", "\33[1m", "\33[0m"
_MAX_EXCERPT = 160


def render(diagnostics: Iterable[Diagnostic], *, color: bool = False) -> str:
    """Text for people: `file:line:col: error: message`, the excerpt underlined, notes, help."""
    return "\n\n".join(_render_one(diagnostic, color) for diagnostic in diagnostics)


def _render_one(diagnostic: Diagnostic, color: bool) -> str:
    def paint(text: str, *codes: str) -> str:
        return "".join(codes) + text + _RESET if color else text

    tint = _RED if diagnostic.severity is Severity.ERROR else _YELLOW
    word = paint(f"{diagnostic.severity.value}:", _BOLD, tint)
    place = f"{diagnostic.labels[0].span}: " if diagnostic.labels else ""
    lines = [f"{place}{word} {paint(diagnostic.message, _BOLD)}"]
    shown = diagnostic.labels[0].span.source if diagnostic.labels else None
    for number, label in enumerate(diagnostic.labels):
        if label.span.source != shown:
            shown = label.span.source
            lines.append(f"  in {shown.name}:")
        lines.extend(_excerpt(label, primary=number == 0, paint=paint, tint=tint))
    lines.extend(f"  note: {note}" for note in diagnostic.notes)
    if diagnostic.help:
        lines.append(f"  {paint('help:', _BOLD)} {diagnostic.help}")
    return "\n".join(lines)


def _excerpt(label: Label, *, primary: bool, paint: Callable[..., str], tint: str) -> list[str]:
    span = label.span
    line_number, column = span.source.line_column(span.start)
    text = span.source.line(line_number)
    first = max(0, column - 1 - _MAX_EXCERPT // 2)
    shown = text[first : first + _MAX_EXCERPT]
    width = max(1, min(span.end - span.start, len(text) - (column - 1), len(shown)))
    # Control characters would move the cursor; tabs keep the underline in place as they are.
    unknown = "\N{REPLACEMENT CHARACTER}"
    shown = "".join(c if c.isprintable() or c == "\t" else unknown for c in shown)
    pad = "".join("\t" if c == "\t" else " " for c in shown[: column - 1 - first])
    mark = ("^" if primary else "-") * width
    gutter = f"{line_number:5d} | "
    blank = " " * 5 + " | "
    message = f" {label.message}" if label.message else ""
    return [
        paint(gutter, _BLUE) + shown,
        paint(blank, _BLUE) + pad + paint(mark + message, tint if primary else _BLUE),
    ]
