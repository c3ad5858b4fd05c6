"""Arguments and options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from symopt.precision import PRECISIONS

F = TypeVar("F", bound=Callable[..., Any])


def _set_color(context: click.Context, _: click.Parameter, choice: str | None) -> None:
    if choice == "auto" or (choice is None and context.parent is None):
        # Without a decision click colours terminals only.
        context.color = False if os.environ.get("NO_COLOR") else None
    elif choice is not None:
        context.color = choice == "always"


def color_option(command: F) -> F:
    """`--color`, on the program and on each command."""
    return click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        expose_value=False,
        is_eager=True,
        callback=_set_color,
        help="When to colour the output (auto: on a terminal, unless NO_COLOR is set).",
    )(command)


def program_argument(command: F) -> F:
    """The program file; `-` is standard input."""
    return click.argument(
        "file", type=click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True)
    )(command)


def dtype_option(command: F) -> F:
    """`--dtype`: what is computed in."""
    return click.option(
        "--dtype",
        type=click.Choice(PRECISIONS),
        default=PRECISIONS[0],
        help="Precision of data and of all arrays computed.",
    )(command)


def threads_option(command: F) -> F:
    """`--threads`: how many a model computes with."""
    return click.option(
        "--threads",
        type=click.IntRange(min=1),
        default=1,
        help="Threads to compute with (so far, one).",
    )(command)


def run_options(command: F) -> F:
    """What bounds a run, under the names of `minimize`: fixed parameters, limits, seed, batches."""
    for option in (
        click.option("--batch-size", type=click.IntRange(min=1), help="Samples that a step sees."),
        click.option(
            "--seed", type=click.IntRange(min=0), help="Seed of random starts and methods."
        ),
        click.option("--tol", type=click.FloatRange(min=0), help="Relative tolerance; 0 for none."),
        click.option("--max-time", type=click.FloatRange(min=0), help="Limit on seconds."),
        click.option("--max-iter", type=click.IntRange(min=0), help="Limit on iterations."),
        click.option(
            "--fix", "fixed", multiple=True, metavar="NAME", help="Keep a parameter as it is."
        ),
    ):
        command = option(command)
    return command


def binding_options(command: F) -> F:
    """`--data`, `--param`, `--dim` and `--dtype`: what a program is bound to."""
    for option in (
        dtype_option,
        click.option(
            "--dim",
            "dims",
            multiple=True,
            metavar="NAME=SIZE",
            help="Size of a dim that the data do not give.",
        ),
        click.option(
            "--param",
            "params",
            multiple=True,
            metavar="NAME=VALUE",
            help="Value of a parameter: a number for all its entries, numbers separated by commas, "
            "or a file.",
        ),
        click.option(
            "--data",
            multiple=True,
            metavar="[NAME=]FILE[:COLUMN,...]",
            help="Data file (CSV, TSV, NPY, NPZ, JSON, Parquet), matched by column names; or the "
            "file, the columns or the number for one data name.",
        ),
    ):
        command = option(command)
    return command
