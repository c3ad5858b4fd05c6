"""The errors, and how they are printed: what is wrong, where, what was found, the likely fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from symopt.artifacts.python.runtime.specification import Place, Sizes


class SymoptError(Exception):
    """Any mistake in data, points or what is asked for."""


class DataError(SymoptError):
    """Data, parameters or options do not fit the program."""


class ShapeError(SymoptError):
    """Indices or ranges do not fit the sizes of the data."""


class DerivativeUnavailable(SymoptError):
    """The loss has no derivative of the kind asked for."""


class NotCompiled(SymoptError, AttributeError):
    """A function that was not asked for when the loss was compiled."""


class LibraryError(SymoptError):
    """The library is not there, or is not the one that belongs to this module."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong, where, notes that explain it, and what to do."""

    message: str
    place: Place | None = None
    label: str = ""
    notes: tuple[str, ...] = ()
    help: str | None = None

    def __str__(self) -> str:
        lines = [f"error: {self.message}"]
        if self.place is not None:
            label = f" {self.label}" if self.label else ""
            lines = [f"{self.place.position}: {lines[0]}", f"{self.place.excerpt}{label}"]
        lines += [f"  note: {note}" for note in self.notes]
        lines += [f"  help: {self.help}"] if self.help else []
        return "\n".join(lines)

    @property
    def order(self) -> tuple[str, int]:
        """Where it comes among others: as in the program."""
        return ("", -1) if self.place is None else (self.place.file, self.place.start)


def stop_if_any(mistakes: Iterable[Mistake], error: type[SymoptError] = DataError) -> None:
    """Raise an error with all mistakes, if there are any."""
    found = sorted(dict.fromkeys(mistakes), key=lambda mistake: mistake.order)
    if found:
        raise error("\n\n".join(map(str, found)))


def data_error(message: str, help: str | None = None) -> DataError:
    """An error about what was given, without a place in the program."""
    return DataError(str(Mistake(message, help=help)))


@contextmanager
def refusing_zero_divisors() -> Iterator[None]:
    """Turns a division by zero among sizes into a DataError."""
    try:
        yield
    except ZeroDivisionError as error:
        help = "integer `//` and `%` need a divisor other than 0 at every point"
        raise data_error(str(error), help) from None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """`did you mean ...?` for a name close to a known one."""
    known = sorted(set(known))
    near = [other for other in known if other.casefold() == name.casefold()]
    near = near or difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else None


def shape_text(shape: Sizes) -> str:
    """`(n, k)` as people write shapes; a scalar is `a number`."""
    if not shape:
        return "a number"
    inner = ", ".join(size.text for size in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


def entry_text(name: str, place: Sequence[int]) -> str:
    """An entry of an array: `X[1, 2]`."""
    return f"{name}[{', '.join(map(str, place))}]" if place else name
