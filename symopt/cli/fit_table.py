"""A fit for reading: the table of parameters, the objective, and why the run stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from symopt.cli.outcome import Array, Outcome, Quantity

_MOST_ENTRIES = 12  # arrays up to this size are shown in full
_FIRST_ENTRIES = 3  # of larger ones, so many
_UNLIMITED = 10_000  # columns, where no terminal limits them


def print_fit(outcome: Outcome) -> None:
    """Prints a fit on standard output."""
    console = open_console()
    console.print(_quantities("parameter", outcome.params))
    if outcome.reports:
        console.line()
        console.print(_quantities("report", outcome.reports))
    console.line()
    console.print(_summary(outcome))


def open_console() -> Console:
    """Standard output, coloured as `--color` and NO_COLOR say."""
    context = click.get_current_context(silent=True)
    color = context.color if context else None
    console = Console(
        force_terminal=True if color else None,
        no_color=color is False or None,
        highlight=False,
        soft_wrap=False,
    )
    if not console.is_terminal:
        console.width = _UNLIMITED
    return console


def plain_table(*columns: str, numbers: Sequence[str] = ()) -> Table:
    """An empty table in the style of all commands; the columns in `numbers` are right-aligned."""
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    return table


def _quantities(kind: str, quantities: Sequence[Quantity]) -> Table:
    errors = any(quantity.standard_error is not None for quantity in quantities)
    described = any(quantity.description for quantity in quantities)
    names = [kind, "value"]
    if errors:
        names.append("std. error")
    if described:
        names.append("")
    table = plain_table(*names, numbers=("value", "std. error"))
    for quantity in quantities:
        for row, (name, value, error) in enumerate(_entries(quantity)):
            cells = [Text(name), Text(value)]
            if errors:
                cells.append(Text(error))
            if described:
                cells.append(Text(quantity.description or "" if row == 0 else "", style="dim"))
            table.add_row(*cells)
    return table


def _entries(quantity: Quantity) -> Iterator[tuple[str, str, str]]:
    """Name, value and standard error of each entry, or of the first ones of a large array."""
    value, error = quantity.value, quantity.standard_error
    indices = quantity.places
    shown = indices if len(indices) <= _MOST_ENTRIES else indices[:_FIRST_ENTRIES]
    for index in shown:
        name = quantity.name + (f"[{', '.join(map(str, index))}]" if index else "")
        yield (
            name,
            f"{value[index]:.10g}",
            "" if error is None else _error_text(float(error[index])),
        )
    if len(shown) < len(indices) or not indices:
        shape = " x ".join(map(str, value.shape))
        yield f"{quantity.name}[...]", f"{_spread(value)} ({shape})", ""


def _error_text(error: float) -> str:
    return "fixed" if error == 0 else f"{error:.5g}"


def _spread(value: Array) -> str:
    return f"{value.min():.4g} to {value.max():.4g}" if value.size else "empty"


def _summary(outcome: Outcome) -> Table:
    result = outcome.result
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    grid.add_row("objective", f"{result.fun:.10g}" + (" (maximized)" if outcome.maximize else ""))
    if (dof := result.get("dof")) is not None:
        deviation = f", residual std. deviation {np.sqrt(result.fun / dof):.6g}" if dof > 0 else ""
        grid.add_row("degrees of freedom", f"{dof}{deviation}")
    if not np.isnan(result.optimality):
        grid.add_row("largest gradient entry", f"{result.optimality:.3g}")
    grid.add_row("method", _effort(outcome))
    if result.reason != "as asked":
        grid.add_row("chosen for", Text(str(result.reason)))
    if result.remark:
        grid.add_row("computed by", Text(str(result.remark)))
    style = "green" if result.success else "red"
    grid.add_row("stopped", Text(str(result.message), style=style))
    return grid


def _effort(outcome: Outcome) -> str:
    counts = [f"{outcome.result.nit} iterations"]
    for key, name in (("nfev", "values"), ("njev", "gradients"), ("nhev", "Hessians")):
        if outcome.result.get(key):
            counts.append(f"{outcome.result[key]} {name}")
    return f"{outcome.method}: {', '.join(counts)}"
