"""`symopt compile`: native code for use without Python, or without symopt."""

from __future__ import annotations

import keyword
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from symopt.cli.options import color_option, dtype_option, program_argument
from symopt.cli.program import bind_program, check_known, load_program, parse_sizes
from symopt.cli.refusal import bad_input, refusing
from symopt.diagnostics import DataError, ShapeError

if TYPE_CHECKING:
    from symopt.artifacts.package import Package
    from symopt.model import Model
    from symopt.native.targets import Target
    from symopt.precision import Precision


@click.command("compile", short_help="Write native code that stands alone.")
@program_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default="build",
    show_default=True,
    help="Folder for the files; made if it is not there.",
)
@click.option(
    "--functions",
    metavar="NAME,...",
    help="What to compile: value, grad, value_and_grad, hvp, hess, residuals, jac, gn, jvp, vjp, "
    "gnvp, or names of definitions. Default: value to hess and, with residuals, these, jac and gn.",
)
@click.option(
    "--dim",
    "dims",
    multiple=True,
    metavar="NAME=SIZE",
    help="Size to compile in, for faster code. Dims with a default have that.",
)
@click.option(
    "--open",
    "opened",
    multiple=True,
    metavar="NAME",
    help="Dim whose default is not compiled in: callers give its size.",
)
@click.option(
    "--data",
    multiple=True,
    metavar="[NAME=]FILE[:COLUMN,...]",
    help="Data to take sizes from: all but those of samples are compiled in, as in a fit.",
)
@dtype_option
@click.option(
    "--target",
    "targets",
    default="native",
    show_default=True,
    metavar="TARGET,...",
    help="Processor: native, x86-64 to x86-64-v4, aarch64, windows, macos, or an LLVM triple, "
    "with :CPU if need be. Several levels of x86-64 go into one library, which takes the best that "
    "runs.",
)
@click.option("--name", help="Name of the files and prefix in C; default: that of the program.")
@color_option
def command(
    file: str,
    output: Path,
    functions: str | None,
    dims: tuple[str, ...],
    opened: tuple[str, ...],
    data: tuple[str, ...],
    dtype: Precision,
    targets: str,
    name: str | None,
) -> None:
    """Compile the program FILE (- for standard input) to native code that stands alone.

    Writes a C header, an object file, a shared library, LLVM IR, a Python module that needs NumPy
    only, its tests (run `pytest` on the folder), a description in JSON, and what CMake and
    pkg-config look for.
    """
    from symopt.artifacts.build import interface_of
    from symopt.artifacts.package import write_package

    model = load_program(file)
    stem = _stem(file, name)
    chosen = _targets(targets)
    sizes = _sizes(model, dims, opened, data, dtype)
    names = [one.strip() for one in functions.split(",")] if functions is not None else None
    with refusing(DataError, ShapeError):
        interface = interface_of(model, stem, names, sizes, dtype)
    try:
        with refusing(DataError):
            package = write_package(model, interface, chosen, output)
    except OSError as error:
        reason = error.strerror or str(error)
        raise bad_input("unwritable-folder", f"cannot write to '{output}': {reason}") from None
    _report(package)


def _stem(file: str, name: str | None) -> str:
    """The name of the files: an identifier."""
    from symopt.artifacts.interface import identifier

    if name is not None and identifier(name) != name:
        raise bad_input(
            "bad-name",
            f"--name takes a name of C, not '{name}'",
            help=f"use letters, digits and underscores: {identifier(name)}",
        )
    stem = name or identifier("loss" if file == "-" else Path(file).stem)
    # Python's own tests are a module that nobody imports.
    taken = {*sys.stdlib_module_names, *keyword.kwlist, "numpy", "pytest", "symopt"} - {"test"}
    if stem in taken or stem.startswith("test_"):
        why = "of tests" if stem.startswith("test_") else "that Python has already"
        raise bad_input(
            "bad-name",
            f"the Python module would be called `{stem}`, a name {why}",
            help=f"give it another: --name {stem.removeprefix('test_')}_loss",
        )
    return stem


def _targets(text: str) -> tuple[Target, ...]:
    """The targets of the option."""
    from symopt.native.target_names import UnknownTarget, named_targets

    try:
        return named_targets(text)
    except UnknownTarget as error:
        raise bad_input("unknown-target", str(error), help=error.help) from None


def _sizes(
    model: Model,
    dims: Sequence[str],
    opened: Sequence[str],
    data: Sequence[str],
    dtype: Precision,
) -> dict[str, int]:
    """What is compiled in."""
    found = model.default_sizes
    if data:
        problem = bind_program(model, data, dims, dtype)
        fixed = model.fixed_by(problem.dims, {})
        found |= dict(fixed.sizes)
    for name in opened:
        check_known("dim", name, model.dims)
        found.pop(name, None)
    return found | parse_sizes(model, dims)


def _report(package: Package) -> None:
    """What was written; on standard error, what could not be."""
    for name in package.files:
        click.echo(package.folder / name)
    linked = package.linked
    if linked.problem is not None:
        click.echo(f"warning: no shared library was made: {linked.problem}", err=True)
        click.echo(f"  help: in {package.folder}, run: {linked.command}", err=True)
        click.echo("  note: everything else is written, and the object file is complete", err=True)
