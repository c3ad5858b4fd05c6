"""`symopt race`: several methods on one problem, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from symopt.cli.options import binding_options, color_option, program_argument, run_options
from symopt.cli.program import bind_program, load_program, place_start
from symopt.cli.refusal import NEGATIVE, refusing
from symopt.diagnostics import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symopt.optim.race import Entrant
    from symopt.precision import Precision


@click.command("race", short_help="Run several methods side by side.")
@program_argument
@binding_options
@run_options
@click.option(
    "--methods", metavar="NAME,...", help="See `symopt methods`; default: the usual ones."
)
@click.option("--plot", "plot_path", metavar="FILE", help="Write the convergence as a figure.")
@color_option
@click.pass_context
def command(
    context: click.Context,
    file: str,
    data: tuple[str, ...],
    params: tuple[str, ...],
    dims: tuple[str, ...],
    dtype: Precision,
    methods: str | None,
    plot_path: str | None,
    **limits: Any,
) -> None:
    """Minimize the program FILE with several methods and compare what each of them reaches.

    Exits with 1 when no method converged.
    """
    from symopt.cli.fit_table import open_console
    from symopt.cli.plots import write_convergence
    from symopt.cli.text_plot import convergence_lines
    from symopt.optim.methods import find_method
    from symopt.optim.race import USUAL, racing

    model = load_program(file)
    problem = bind_program(model, data, dims, dtype)
    start = place_start(model, problem, params, limits["seed"])
    names = [name for name in (methods or ",".join(USUAL)).split(",") if name.strip()]
    with refusing(DataError):
        # A name that is misspelt is refused before the others run.
        chosen = [
            name if name.strip().lower() == "auto" else find_method(name).name for name in names
        ]
    entrants = list(racing(problem, chosen, x0=start, **limits))
    console = open_console()
    console.print(_table(entrants, maximize=problem.maximize))
    for line in convergence_lines(_curves(entrants), problem.maximize):
        console.print(line, markup=False)
    for entrant in entrants:
        if entrant.result is not None and entrant.result.batch_size is not None:
            size = entrant.result.batch_size
            console.print(f"{entrant.method}: batches of {size}, whose values do not compare")
    if plot_path is not None and _curves(entrants):
        write_convergence(plot_path, _curves(entrants), problem.maximize)
    if not any(entrant.result is not None and entrant.result.success for entrant in entrants):
        context.exit(NEGATIVE)


def _curves(entrants: Sequence[Entrant]) -> dict[str, object]:
    """The traces of those whose every step saw the whole objective."""
    results = {e.method: e.result for e in entrants if e.result is not None}
    return {name: found.trace for name, found in results.items() if found.batch_size is None}


def _table(entrants: Sequence[Entrant], *, maximize: bool) -> object:
    """Who reached what, the best value first."""
    from rich.text import Text

    from symopt.cli.fit_table import plain_table

    numbers = ("value", "iterations", "values", "gradients", "Hessians", "seconds")
    table = plain_table("method", *numbers, "stopped", numbers=numbers)
    sign = -1.0 if maximize else 1.0
    for entrant in sorted(
        entrants, key=lambda e: sign * e.result.fun if e.result else float("inf")
    ):
        result = entrant.result
        if result is None:
            assert entrant.refusal is not None, "who did not run was refused"
            reason = Text(entrant.refusal.diagnostics[0].message, style="red")
            table.add_row(entrant.method, *[""] * len(numbers), reason)
            continue
        counts = (result.nit, result.nfev, result.njev, result.nhev)
        table.add_row(
            entrant.method,
            f"{result.fun:.10g}",
            *(str(count) if count else "" for count in counts),
            f"{entrant.seconds:.3g}",
            Text(str(result.message).partition(";")[0], style="green" if result.success else "red"),
        )
    return table
