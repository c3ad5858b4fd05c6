"""Diagnostics as the end of a command: shown on standard error, with an exit code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from symopt.diagnostics import Diagnostic, Kind, SymoptError, render

NEGATIVE = 1  # the exit code of a no: not converged, or the program has errors


class Refusal(click.ClickException):
    """Ends the command with diagnostics and a negative answer."""

    exit_code = NEGATIVE

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        super().__init__("")
        self.diagnostics = tuple(diagnostics)

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(render(self.diagnostics, color=True), file=file, err=True, color=self.show_color)


class BadInput(Refusal):
    """Ends the command with diagnostics of data, options or files that cannot be used."""

    exit_code = 2


def bad_input(code: str, message: str, help: str | None = None) -> BadInput:
    """The refusal of an option or a file."""
    return BadInput([Diagnostic(Kind.DATA, code, message, help=help)])


@contextmanager
def refusing(*bad_input: type[SymoptError]) -> Iterator[None]:
    """Turns mistakes into refusals; those of the classes given are bad input, the others a
    negative answer."""
    try:
        yield
    except SymoptError as error:
        refusal = BadInput if isinstance(error, bad_input) else Refusal
        raise refusal(error.diagnostics) from error


def show_warnings(diagnostics: Iterable[Diagnostic]) -> None:
    """Prints warnings on standard error."""
    text = render(diagnostics, color=True)
    if text:
        click.echo(text, err=True)
