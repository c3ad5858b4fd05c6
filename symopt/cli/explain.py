"""`symopt explain`: what was compiled, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from symopt.cli.options import color_option, dtype_option, program_argument
from symopt.cli.program import bind_program, check_known, load_program
from symopt.cli.refusal import refusing
from symopt.diagnostics import DataError

if TYPE_CHECKING:
    from rich.table import Table

    from symopt.explain import Explanation
    from symopt.model import Model
    from symopt.precision import Precision


@click.command("explain", short_help="Show what was compiled: operations, passes, rewrites.")
@program_argument
@click.option(
    "--functions",
    metavar="NAME,...",
    help="Functions to explain in full; default: value, value_and_grad, and gauss_newton or hvp.",
)
@click.option(
    "--data",
    multiple=True,
    metavar="[NAME=]FILE[:COLUMN,...]",
    help="Data file, as for `symopt fit`; then everything is as it is compiled for these data.",
)
@click.option("--dim", "dims", multiple=True, metavar="NAME=SIZE", help="Size of a dim.")
@dtype_option
@click.option("--verbose", "-v", is_flag=True, help="All there is to say about each function.")
@click.option("--json", "json_path", metavar="FILE", help="Write the facts; - instead of text.")
@color_option
def command(
    file: str,
    functions: str | None,
    data: tuple[str, ...],
    dims: tuple[str, ...],
    dtype: Precision,
    verbose: bool,
    json_path: str | None,
) -> None:
    """Show what is compiled for the program FILE (- for standard input).

    For each function: its operations, passes over the samples, where sums and arrays are kept,
    where indices run, what was hoisted, and the time that compiling took. Operations are additions,
    multiplications, divisions, square roots and elementary functions, as a formula in the sizes
    that are left open. Stable forms that replace what is written are listed with their places.
    """
    names = [name.strip() for name in functions.split(",")] if functions else []
    explanation = _explain(load_program(file), names, data, dims, dtype)
    if json_path != "-":
        _print(explanation, details=verbose or bool(names))
    if json_path is not None:
        from symopt.cli.result_file import write_json
        from symopt.explain.document import describe_explanation

        write_json(json_path, describe_explanation(explanation))


def _explain(
    model: Model,
    names: Sequence[str],
    data: Sequence[str],
    dims: Sequence[str],
    dtype: Precision,
) -> Explanation:
    """Of what is compiled for the data; without any, of what sizes known by name make of it."""
    sizes = {} if data else _sizes(model, dims)
    with refusing(DataError):
        if data or _complete(model, sizes):
            return bind_program(model, data, dims, dtype).explain(*names)
        return model.explain(*names, dtype=dtype, **sizes)


def _complete(model: Model, sizes: dict[str, int]) -> bool:
    """Whether a model can be bound to these sizes alone, or with the files that it names."""
    given = all(d.default is not None or d.file is not None for d in model.data.values())
    if given and any(data.file is not None for data in model.data.values()):
        return True
    return given and all(n in sizes or d.default is not None for n, d in model.dims.items())


def _sizes(model: Model, dims: Sequence[str]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for text in dims:
        name, _, size = (part.strip() for part in text.partition("="))
        if not (name and size.isascii() and size.isdigit()):
            raise click.UsageError(f"--dim takes NAME=SIZE, not '{text}'.")
        check_known("dim", name, model.dims)
        sizes[name] = int(size)
    return sizes


def _print(explanation: Explanation, *, details: bool) -> None:
    """The functions side by side, what they share, and, if asked for, everything about each."""
    from rich.text import Text

    from symopt.cli.fit_table import open_console
    from symopt.explain.text import function_lines, overview_lines, rewrite_lines

    console = open_console()

    def show(line: str) -> None:
        console.print(Text(line, style="" if line.startswith(" ") else "bold"))

    for line in (*overview_lines(explanation), *rewrite_lines(explanation)):
        show(line)
    console.line()
    console.print(_table(explanation))
    for function in explanation.functions if details else ():
        console.line()
        for line in function_lines(function, explanation.sizes):
            show(line)


def _table(explanation: Explanation) -> Table:
    from rich.text import Text

    from symopt.cli.fit_table import plain_table
    from symopt.explain.text import accumulators_text, milliseconds, times_text

    sizes = explanation.sizes
    totals = [function.counts.total.total for function in explanation.functions]
    here = [sizes.number(total) for total in totals]
    bound = any(number is not None for number in here)
    columns = ["function", "operations", *(["here"] if bound else []), "x value"]
    columns += ["passes", "lanes", "sums over samples", "hoisted", "compile time"]
    numbers = ("here", "x value", "passes", "lanes", "hoisted", "compile time")
    table = plain_table(*columns, numbers=numbers)
    for function, total, number in zip(explanation.functions, totals, here, strict=True):
        times = function.times_value(sizes)
        phases = [phase for one in function.passes for phase in one.phases]
        lanes = sorted({one.lanes for one in function.passes}, reverse=True)
        cells = [function.name, str(total)]
        if bound:
            cells.append("" if number is None else f"{number:,.0f}")
        cells += [
            "" if times is None else times_text(times),
            str(len(function.passes)),
            ", ".join(map(str, lanes)),
            accumulators_text(phases),
            str(len(function.hoisted)),
            milliseconds(sum(function.seconds.values())),
        ]
        table.add_row(*map(Text, cells))
    return table
