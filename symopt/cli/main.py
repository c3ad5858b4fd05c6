"""The `symopt` program: one command a file, each imported when it runs."""

from __future__ import annotations

from importlib import import_module

import click

from symopt import __version__
from symopt.cli.options import color_option

# Where each command lives, in the order of the help page.
_COMMANDS = {
    "fit": "symopt.cli.fit",
    "check": "symopt.cli.check",
    "explain": "symopt.cli.explain",
    "compile": "symopt.cli.compile",
    "eval": "symopt.cli.evaluate",
    "derive": "symopt.cli.derive",
    "test": "symopt.cli.test",
    "race": "symopt.cli.race",
    "methods": "symopt.cli.methods",
    "cache": "symopt.cli.cache",
}


class _Commands(click.Group):
    """The commands; a module is imported when its command is used or described."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        return import_module(_COMMANDS[cmd_name]).command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="symopt")
@color_option
def main() -> None:
    """Fits models written in index notation, with native derivatives.

    Exit codes: 0 fine; 1 a negative answer (not converged, a check failed, or the program has
    errors); 2 bad usage or bad input.
    """
