"""`symopt eval`: the objective, its gradient, or any definition at a point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from symopt.cli.options import binding_options, color_option, program_argument
from symopt.cli.program import bind_program, check_known, load_program, place_start
from symopt.cli.refusal import refusing
from symopt.diagnostics import DataError, ShapeError

if TYPE_CHECKING:
    from symopt.model import Model
    from symopt.precision import Precision
    from symopt.problem import Problem

_VALUE, _GRADIENT = "value", "gradient"


@click.command("eval", short_help="Evaluate the objective, its gradient or a definition.")
@program_argument
@click.argument("name", required=False)
@binding_options
@click.option("--json", "json_path", metavar="FILE", help="Write the numbers; - instead of text.")
@color_option
def command(
    file: str,
    name: str | None,
    data: tuple[str, ...],
    params: tuple[str, ...],
    dims: tuple[str, ...],
    dtype: Precision,
    json_path: str | None,
) -> None:
    """Evaluate the program FILE at its start, or where --param says.

    NAME is `value`, `gradient` or a definition; without it, value and gradient are printed.
    """
    from symopt.cli.result_file import write_json

    model = load_program(file)
    if name is not None and name not in (_VALUE, _GRADIENT):
        check_known("definition", name, model.definitions)
    problem = bind_program(model, data, dims, dtype)
    start = place_start(model, problem, params)
    point = problem.x0 if start is None else start
    with refusing(DataError, ShapeError):
        found = _evaluate(model, problem, point, name)
    if json_path is not None:
        write_json(json_path, found)
    if json_path != "-":
        _print(found)


def _evaluate(model: Model, problem: Problem, point: object, name: str | None) -> dict[str, object]:
    """What was asked for, by name; a gradient by parameter."""
    if name is not None and name in model.definitions:
        return {name: problem.eval(name, point)}
    found: dict[str, object] = {}
    if name in (None, _VALUE):
        found[_VALUE] = problem.value(point)
    if name in (None, _GRADIENT):
        found[_GRADIENT] = dict(problem.unpack(problem.grad(point)))
    return found


def _print(found: dict[str, object]) -> None:
    import numpy as np

    with np.printoptions(precision=17, floatmode="unique", threshold=1000, linewidth=100):
        for name, value in found.items():
            if isinstance(value, dict):
                for parameter, part in value.items():
                    click.echo(f"{name} {parameter} = {_text(part)}")
            else:
                click.echo(f"{name} = {_text(value)}")


def _text(value: object) -> str:
    import numpy as np

    array = np.asarray(value)
    if array.ndim == 0:
        return repr(float(array))
    separator = "\n" if array.ndim > 1 else ""
    return f"{separator}{array}"
