"""`symopt check`: every diagnostic of a program, or what it declares."""

from __future__ import annotations

from typing import Literal, get_args

import click

from symopt.cli.options import color_option, program_argument
from symopt.cli.program import load_program
from symopt.cli.refusal import refusing

Stage = Literal["statements", "graph", "loops", "llvm"]


@click.command("check", short_help="Check a program, or show how it is compiled.")
@program_argument
@click.option(
    "--show",
    "stage",
    type=click.Choice(get_args(Stage)),
    help="Print one stage of the compilation.",
)
@color_option
def command(file: str, stage: Stage | None) -> None:
    """Print every mistake in the program FILE (- for standard input), or a summary of it.

    Exits with 1 when the program has errors.
    """
    model = load_program(file)
    with refusing():
        text = "\n".join(model.describe()) if stage is None else model.show(stage)
    click.echo(text.rstrip("\n"))
