"""`symopt derive`: derivatives of the objective, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from symopt.cli.options import color_option, program_argument
from symopt.cli.program import check_known, load_program
from symopt.cli.refusal import Refusal
from symopt.diagnostics import DerivativeUnavailable, Diagnostic

if TYPE_CHECKING:
    from sympy import Expr


@click.command("derive", short_help="Print symbolic derivatives.")
@program_argument
@click.option("--wrt", multiple=True, metavar="NAME", help="Parameter; default all of them.")
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "latex", "sympy"]),
    default="text",
    show_default=True,
)
@color_option
def command(file: str, wrt: tuple[str, ...], style: str) -> None:
    """Print the derivatives of the objective of the program FILE (- for standard input)."""
    model = load_program(file)
    for name in wrt:
        check_known("parameter", name, model.params)
    missing: dict[Diagnostic, None] = {}
    for name in wrt or model.params:
        try:
            click.echo(_show(model.symbol(name), model.derive(name), style))
        except DerivativeUnavailable as error:
            missing |= dict.fromkeys(error.diagnostics)
    if missing:
        raise Refusal(missing)


def _show(symbol: Expr, derivative: Expr, style: str) -> str:
    """The derivative after what it is by, in the comments of the language asked for."""
    import sympy

    match style:
        case "latex":
            from symopt.derive.latex import expression_latex

            return f"% by {symbol}\n{expression_latex(derivative)}"
        case "sympy":
            return f"# by {symbol}\n{sympy.srepr(derivative)}"
        case _:
            return f"by {symbol}: {sympy.sstr(derivative)}"
