"""`symopt test`: every compiled derivative beside independent oracles, and what is expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from symopt.cli.options import binding_options, color_option, program_argument
from symopt.cli.program import load_program, parse_sizes, place_start
from symopt.cli.refusal import NEGATIVE, Refusal, refusing, show_warnings
from symopt.diagnostics import DataError, Diagnostic, Kind, ShapeError

if TYPE_CHECKING:
    from numpy.random import Generator
    from rich.table import Table

    from symopt.certify import Comparison, Report
    from symopt.expectations import Outcome
    from symopt.model import Model
    from symopt.precision import Precision
    from symopt.problem import Problem, Vector


@click.command("test", short_help="Verify all derivatives against independent oracles.")
@program_argument
@binding_options
@click.option("--functions", metavar="NAME,...", help="Functions to verify; default: all.")
@click.option(
    "--points",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="How many points to check at: the start, then random ones.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Seed of random data, points and directions.",
)
@click.option("--verbose", "-v", is_flag=True, help="A table for every point.")
@click.option("--json", "json_path", metavar="FILE", help="Write the report; - instead of text.")
@color_option
def command(
    file: str,
    data: tuple[str, ...],
    params: tuple[str, ...],
    dims: tuple[str, ...],
    dtype: Precision,
    functions: str | None,
    points: int,
    seed: int,
    verbose: bool,
    json_path: str | None,
) -> None:
    """Verify every derivative compiled for the program FILE (- for standard input).

    Values, gradients, Hessians, Jacobians, Gauss-Newton matrices and their products are compared
    with complex steps, dual numbers, central differences and the NumPy evaluator, at the start (or
    where --param says) and at random points around it. That is with the data, sizes and parameters
    of the options, and random data for the rest; without any options, with a few samples of the
    data that the program names or that lies beside it, and few hidden units: the rules are the
    same for few as for many. Lines that say what to `expect` are held against all of that data.

    Exits with 1 when something is wrong; the definition and the read whose derivative is wrong are
    named.
    """
    import numpy as np

    model = load_program(file)
    rng = np.random.default_rng(seed)
    given, sizes = _given(model, data), parse_sizes(model, dims)
    if data or params or dims or dtype != "float64":
        problem, which = _problem(model, given, sizes, dtype, rng), ""
    else:
        problem, which = _small(model, given, rng)
    start = place_start(model, problem, params)
    try:
        places = _places(problem, start, rng, points)
    except Refusal:
        _print_outcomes(_expected(model, given, sizes, dtype))
        raise
    names = [name.strip() for name in functions.split(",")] if functions else None
    with refusing(DataError):
        reports = [problem.check(p, functions=names, seed=seed + k) for k, p in enumerate(places)]
    outcomes = _expected(model, given, sizes, dtype)
    if json_path is not None:
        from symopt.cli.result_file import write_json

        write_json(json_path, _document(file, problem, seed, reports, outcomes))
    if json_path != "-":
        _print(problem, which, reports, verbose)
        _print_outcomes(outcomes)
    if not all(one.ok for one in (*reports, *outcomes)):
        raise SystemExit(NEGATIVE)


def _given(model: Model, data: Sequence[str]) -> dict[str, Any]:
    """The data of the options, and for the rest that which lies with the program."""
    from symopt.data_files import read_all
    from symopt.gathering import gather_data

    with refusing(DataError, ShapeError):
        given = gather_data(model.data, data, complete=False) if data else {}
        return read_all(model.data, model.stages.source, given)


def _problem(
    model: Model,
    given: Mapping[str, Any],
    sizes: Mapping[str, int],
    dtype: Precision,
    rng: Generator,
) -> Problem:
    """The program bound to the data given, and to random data for the rest."""
    from symopt.certify.draws import random_problem

    with refusing(DataError, ShapeError):
        return random_problem(model, given, sizes, rng, dtype)


def _small(model: Model, given: Mapping[str, Any], rng: Generator) -> tuple[Problem, str]:
    """The program with little of its own data, and what data that is."""
    from symopt.certify.small import small_problem

    with refusing(DataError, ShapeError):
        return small_problem(model, given, rng)


def _expected(
    model: Model, given: Mapping[str, Any], sizes: Mapping[str, int], dtype: Precision
) -> tuple[Outcome, ...]:
    """What became of the `expect` lines; all of them fail where there is no data for them."""
    if not model.expectations:
        return ()
    from symopt.data_files import explain_missing, without_data
    from symopt.expectations import Outcome, evaluate_expectations

    missing = without_data(model.data, given)
    unknown = [name for name in model.open_dims if name not in sizes]
    if not missing and not unknown:
        options: dict[str, Any] = {} if dtype == "float64" else {"dtype": dtype}
        with refusing(DataError, ShapeError):
            return evaluate_expectations(model.bind({**given, **sizes}, **options))
    why, fix = f"the size of {', '.join(unknown)} is not known", "give it with --dim"
    if missing:
        why, fix = explain_missing(model.stages.source, missing)
    return tuple(Outcome(one, False, None, 0.0, why, None, fix) for one in model.expectations)


def _places(problem: Problem, start: Vector | None, rng: Generator, count: int) -> list[Vector]:
    """The points to look at; a refusal where there is none."""
    from symopt.certify.draws import random_points

    points = list(random_points(problem, rng, count, start))
    if not points:
        why = problem.explain_nonfinite(problem.x0 if start is None else start)
        raise Refusal([_nowhere_finite(why)])
    return points


def _nowhere_finite(why: str | None) -> Diagnostic:
    return Diagnostic(
        Kind.NONFINITE,
        "nowhere-finite",
        "no point was found where the objective and its derivatives are finite",
        notes=(why,) if why else (),
        help="give other starts, or a point with --param, and data with --data if there is none",
    )


def _print(problem: Problem, which: str, reports: Sequence[Report], verbose: bool) -> None:
    """The worst of each comparison over all points, or every point; then what failed."""
    from rich.text import Text

    from symopt.cli.fit_table import open_console

    console = open_console()
    dims = ", ".join(f"{name} = {size}" for name, size in problem.dims.items())
    facts = [f"{problem.n} parameters", *([dims] if dims else []), *([which] if which else [])]
    console.print(Text(", ".join(facts), style="bold"))
    if verbose:
        for number, report in enumerate(reports):
            console.print(Text(f"point {number + 1}", style="bold"))
            console.print(_table(report.comparisons))
    else:
        console.print(_table(_worst(reports)))
    for note in dict.fromkeys(note for report in reports for note in report.notes):
        console.print(Text(f"note: {note}"))
    failures = dict.fromkeys(str(f) for report in reports for f in report.failures)
    for failure in failures:
        console.print(Text(f"failed: {failure}", style="red"), soft_wrap=True)
    good = sum(report.ok for report in reports)
    words = "all functions agree with all oracles" if good == len(reports) else "FAILED"
    style = "green" if good == len(reports) else "red"
    console.print(Text(f"{words} at {good} of {len(reports)} points", style=style))


def _print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """A line for each expectation; those that are not met also as mistakes with their place."""
    from rich.text import Text

    from symopt.cli.fit_table import open_console

    console = open_console()
    for outcome in outcomes:
        line = f"ok: {outcome.expectation.text}: {outcome.message}"
        if not outcome.ok:
            line = f"FAILED: {outcome.expectation.text}"
        console.print(Text(line, style="" if outcome.ok else "red"), soft_wrap=True)
    show_warnings(outcome.diagnostic for outcome in outcomes if not outcome.ok)


def _worst(reports: Sequence[Report]) -> list[Comparison]:
    """Of each function beside each oracle, the point with the greatest error for its tolerance."""
    found: dict[tuple[str, str], Comparison] = {}
    for report in reports:
        for one in report.comparisons:
            other = found.get((one.function, one.oracle))
            if other is None or _badness(one) > _badness(other):
                found[one.function, one.oracle] = one
    return list(found.values())


def _badness(comparison: Comparison) -> float:
    if not comparison.compared:
        return -1.0
    return comparison.error / comparison.tolerance


def _table(comparisons: Sequence[Comparison]) -> Table:
    from rich.text import Text

    from symopt.cli.fit_table import plain_table

    numbers = ("largest error", "tolerance")
    table = plain_table("function", "oracle", *numbers, "", numbers=numbers)
    for one in comparisons:
        style = "" if one.ok else "red"
        table.add_row(one.function, one.oracle, *(Text(text, style=style) for text in one.cells))
    return table


def _document(
    program: str,
    problem: Problem,
    seed: int,
    reports: Sequence[Report],
    outcomes: Sequence[Outcome],
) -> dict[str, object]:
    """The same for machines."""
    return {
        "program": program,
        "seed": seed,
        "ok": all(one.ok for one in (*reports, *outcomes)),
        "max_error": max(report.max_error for report in reports),
        "parameters": problem.n,
        "dims": problem.dims,
        "points": [
            {
                "ok": report.ok,
                "max_error": report.max_error,
                "comparisons": [_row(one) for one in report.comparisons],
                "failures": [
                    {
                        "functions": failure.functions,
                        "definition": failure.definition,
                        "line": failure.line,
                        "read": failure.read,
                        "reason": failure.reason,
                    }
                    for failure in report.failures
                ],
                "notes": report.notes,
            }
            for report in reports
        ],
        "expectations": [
            {
                "text": outcome.expectation.text,
                "line": outcome.expectation.span.line,
                "ok": outcome.ok,
                "found": outcome.found,
                "allowed": outcome.allowed,
                "message": outcome.message,
                "fit": outcome.fit,
            }
            for outcome in outcomes
        ],
    }


def _row(one: Comparison) -> dict[str, object]:
    return {
        "function": one.function,
        "oracle": one.oracle,
        "error": one.error if one.compared else None,
        "tolerance": one.tolerance if one.compared else None,
        "ok": one.ok,
        "note": one.note,
    }
