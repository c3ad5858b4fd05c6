"""`symopt fit`: binds a program to data, minimizes, and tells what was found."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import click

from symopt.cli.options import (
    binding_options,
    color_option,
    program_argument,
    run_options,
    threads_option,
)
from symopt.cli.program import bind_program, load_program, parse_settings, place_start
from symopt.cli.refusal import NEGATIVE, refusing, show_warnings
from symopt.diagnostics import DataError, Diagnostic, Kind, Severity, ShapeError

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

    from symopt.precision import Precision
    from symopt.problem import Problem

INTERRUPTED = 130  # what shells expect after Ctrl-C


@click.command("fit", short_help="Fit a program to data.")
@program_argument
@binding_options
@run_options
@click.option(
    "--method",
    metavar="NAME",
    help="See `symopt methods`; default: auto, by the structure of the problem.",
)
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting of the method, such as rate=0.1.",
)
@click.option("--json", "json_path", metavar="FILE", help="Write the result; - instead of tables.")
@click.option("--trace", "trace_path", metavar="FILE", help="Write each iteration as CSV.")
@click.option("--plot", "plot_path", metavar="FILE", help="Write run and residuals as a figure.")
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
@threads_option
@color_option
@click.pass_context
def command(
    context: click.Context,
    file: str,
    data: tuple[str, ...],
    params: tuple[str, ...],
    dims: tuple[str, ...],
    dtype: Precision,
    method: str | None,
    options: tuple[str, ...],
    json_path: str | None,
    trace_path: str | None,
    plot_path: str | None,
    quiet: bool,
    threads: int,
    **limits: Any,
) -> None:
    """Fit the program FILE (- for standard input) to data and print the parameters.

    Exits with 1 when the run did not converge.
    """
    model = load_program(file)
    problem = bind_program(model, data, dims, dtype, threads)
    start = place_start(model, problem, params, limits["seed"])
    settings = {"x0": start, "options": parse_settings(options), **limits}
    result, remarks = _run(problem, method, settings, model.name, quiet)

    from symopt.cli.outcome import gather_outcome
    from symopt.cli.result_file import describe_outcome, write_json, write_trace

    show_warnings(remarks)
    outcome = gather_outcome(
        model,
        problem,
        result,
        method=result.method,
        seed=limits["seed"],
        remarks=remarks,
    )
    if not quiet and json_path != "-":
        from symopt.cli.fit_table import print_fit

        print_fit(outcome)
    if json_path is not None:
        write_json(json_path, describe_outcome(outcome))
    if trace_path is not None:
        write_trace(trace_path, result.trace)
    if plot_path is not None:
        from symopt.cli.plots import write_fit

        write_fit(plot_path, outcome)
    if not result.success:
        context.exit(INTERRUPTED if result.status == INTERRUPTED else NEGATIVE)


def _run(
    problem: Problem, method: str | None, settings: dict[str, Any], label: str, quiet: bool
) -> tuple[OptimizeResult, tuple[Diagnostic, ...]]:
    """The result, and what was warned about on the way."""
    import symopt
    from symopt.cli.progress import Watch

    with (
        refusing(DataError, ShapeError),
        warnings.catch_warnings(record=True) as caught,
        Watch(label, quiet=quiet) as watch,
    ):
        warnings.simplefilter("always")
        result = symopt.minimize(problem, method=method, callback=watch, **settings)
    if watch.interrupted and not result.success:
        result.status, result.message = INTERRUPTED, "interrupted: this is the point reached"
    messages = dict.fromkeys(str(entry.message) for entry in caught)
    return result, tuple(
        Diagnostic(Kind.DATA, "run-warning", message, severity=Severity.WARNING)
        for message in messages
    )
