"""`symopt methods`: the table of optimizers."""

from __future__ import annotations

import click

from symopt.cli.options import color_option


@click.command("methods", short_help="List the optimization methods.")
@color_option
def command() -> None:
    """List the optimization methods: what they need, and what they can be used for.

    Those that take batches see 32 samples a step by default, where a problem has more.
    """
    from rich.text import Text

    import symopt
    from symopt.cli.fit_table import open_console, plain_table

    columns = ("name", "family", "order", "needs", "random", "batches", "bounds", "source")
    table = plain_table(*columns, numbers=("order",))
    for method in symopt.methods():
        table.add_row(
            method.name,
            method.family,
            str(method.order),
            _words(method.needs),
            "yes" if method.stochastic else "",
            "yes" if method.batches else "",
            "yes" if method.bounds else "",
            Text(method.source),
        )
    open_console().print(table)


def _words(needs: object) -> str:
    """`Needs.GRADIENT|HVP` as `gradient, hvp`."""
    _, _, flags = str(needs).partition(".")
    return flags.replace("_", "-").replace("|", ", ").lower() or "nothing"
