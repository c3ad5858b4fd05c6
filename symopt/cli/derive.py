"""`symopt derive`: derivatives of the objective, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from symopt.cli.options import color_option, program_argument
from symopt.cli.program import check_known, load_program
from symopt.cli.refusal import Refusal
from symopt.diagnostics import DerivativeUnavailable, Diagnostic

if TYPE_CHECKING:
    from sympy import Expr

    from symopt.model import Model

Derivatives = dict[Any, Any]  # SymPy expressions by what they are derivatives by
SHORT = 90  # parts of an expression that is not split


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
    """Print the derivatives of the objective of the program FILE (- for standard input).

    Each in one expression where all of these are short. Else by the chain rule: the derivative by
    each definition, with a bar over its name, in terms of those that come after it.
    """
    model = load_program(file)
    for name in wrt:
        check_known("parameter", name, model.params)
    names = wrt or tuple(model.params)
    derivatives, missing = _in_one(model, names)
    if missing or not all(map(_is_short, derivatives.values())):
        chained, unchained = _by_chain_rule(model, names)
        if len(unchained) < len(missing) or not missing:
            derivatives, missing = chained, unchained
    wanted = {model.symbol(name) for name in names}
    for symbol, derivative in derivatives.items():
        click.echo(_show(symbol, derivative, style, last=symbol in wanted))
    if missing:
        raise Refusal(missing)


def _in_one(model: Model, names: tuple[str, ...]) -> tuple[Derivatives, dict[Diagnostic, None]]:
    """The derivatives that are closed expressions, and why others are not."""
    found: Derivatives = {}
    missing: dict[Diagnostic, None] = {}
    for name in names:
        try:
            found[model.symbol(name)] = model.derive(name)
        except DerivativeUnavailable as error:
            missing |= dict.fromkeys(error.diagnostics)
    return found, missing


def _by_chain_rule(
    model: Model, names: tuple[str, ...]
) -> tuple[Derivatives, dict[Diagnostic, None]]:
    try:
        return model.chain_rule(*names), {}
    except DerivativeUnavailable as error:
        return {}, dict.fromkeys(error.diagnostics)


def _is_short(derivative: Expr) -> bool:
    """Whether an expression is read at a glance: a line or two."""
    import sympy

    return sum(1 for _ in sympy.preorder_traversal(derivative)) <= SHORT


def _show(symbol: Expr, derivative: Expr, style: str, *, last: bool) -> str:
    """The derivative after what it is by, in the comments of the language asked for."""
    import sympy

    match style:
        case "latex":
            from symopt.derive.latex import expression_latex

            shown = expression_latex(derivative)
            if last:
                return f"% by {symbol}\n{shown}"
            return f"% {symbol}\n{expression_latex(symbol)} = {shown}"
        case "sympy":
            return f"# {'by ' if last else ''}{symbol}\n{sympy.srepr(derivative)}"
        case _:
            shown = sympy.sstr(derivative)
            return f"by {symbol}: {shown}" if last else f"{symbol} = {shown}"
