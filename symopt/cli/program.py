"""A program file, and what the options bind it to."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from symopt.cli.refusal import bad_input, refusing, show_warnings
from symopt.diagnostics import DataError, ShapeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from symopt.model import Model
    from symopt.precision import Precision
    from symopt.problem import Problem

    Vector = NDArray[np.float64]


def load_program(file: str) -> Model:
    """The model of a program file, `-` for standard input; its warnings are shown."""
    import symopt

    with refusing():
        if file == "-":
            # Bytes that are no text become characters that the parser points at.
            text = sys.stdin.buffer.read().decode("utf-8-sig", errors="replace")
            model = symopt.parse(text, "<stdin>")
        else:
            try:
                model = symopt.load(file)
            except OSError as error:
                reason = error.strerror or str(error)
                raise bad_input("unreadable-file", f"cannot read '{file}': {reason}") from None
    show_warnings(model.warnings)
    return model


def bind_program(
    model: Model, data: Sequence[str], dims: Sequence[str], dtype: Precision, threads: int = 1
) -> Problem:
    """The model with the data and dims of the options."""
    from symopt.gathering import gather_data

    sizes = parse_sizes(model, dims)
    options: dict[str, Any] = {} if dtype == "float64" else {"dtype": dtype}
    options |= {} if threads == 1 else {"threads": threads}
    with refusing(DataError, ShapeError):
        return model.bind(gather_data(model.data, data), **sizes, **options)


def parse_sizes(model: Model, dims: Sequence[str]) -> dict[str, int]:
    """The sizes that `--dim` options give, by name."""
    sizes = {name: _parse_size(name, text) for name, text in _assignments("--dim", dims)}
    for name in sizes:
        check_known("dim", name, model.dims)
    return sizes


def place_start(
    model: Model, problem: Problem, params: Sequence[str], seed: int | None = None
) -> Vector | None:
    """The start with the values of the options in it; None without any."""
    import numpy as np

    values: dict[str, Any] = {}
    for name, text in _assignments("--param", params):
        check_known("parameter", name, model.params)
        values[name] = _parse_value(name, text)
    if not values:
        return None
    parts = dict(problem.unpack(problem.x0 if seed is None else problem.start(seed)))
    for name, value in values.items():
        shape = np.shape(parts[name])
        if value.ndim and value.shape != shape and value.size == np.prod(shape, dtype=int):
            value = value.reshape(shape)
        if model.params[name].packing is not None and value.shape != shape:
            parts[name] = value  # a number, or the unknowns alone
            continue
        try:
            parts[name] = np.broadcast_to(value, shape)
        except ValueError:
            raise bad_input(
                "wrong-shape", f"parameter `{name}` has shape {shape}, the value {value.shape}"
            ) from None
    with refusing(DataError, ShapeError):
        return problem.pack(parts)


def parse_settings(options: Sequence[str]) -> dict[str, object]:
    """The settings of a method that `--option` options give: numbers, true and false, or words."""
    return {name: _parse_setting(text) for name, text in _assignments("--option", options)}


def _parse_setting(text: str) -> object:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def check_known(what: str, name: str, known: Iterable[str]) -> None:
    """Refuses a name that the program does not have, with the nearest one it has."""
    names = list(known)
    if name in names:
        return
    close = get_close_matches(name, names, n=1)
    raise bad_input(
        f"unknown-{what}",
        f"the program has no {what} `{name}`",
        help=f"did you mean `{close[0]}`?" if close else f"it has: {', '.join(names) or 'none'}",
    )


def _assignments(option: str, texts: Sequence[str]) -> Iterable[tuple[str, str]]:
    seen: dict[str, str] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise click.UsageError(f"{option} takes NAME=VALUE, not '{text}'.")
        if name in seen:
            raise click.UsageError(f"{option} {name} is given twice.")
        seen[name] = value
    return seen.items()


def _parse_size(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise click.UsageError(f"--dim {name} takes a whole number, not '{text}'.")
    return int(text)


def _parse_value(name: str, text: str) -> NDArray[np.float64]:
    import numpy as np

    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        return _read_value(name, text)
    return np.asarray(numbers if len(numbers) > 1 else numbers[0])


def _read_value(name: str, text: str) -> NDArray[np.float64]:
    import numpy as np

    from symopt.tables import read_table

    if not Path(text).exists():
        raise click.UsageError(f"--param {name} takes numbers or a file, not '{text}'.")
    with refusing(DataError):
        table = read_table(text)
        column = table.find(name) or table.find("")
        columns = (column,) if column is not None else table.columns
        for column in columns:
            if column.fault is not None:
                raise DataError(column.fault)
    if len(columns) == 1:
        return np.asarray(columns[0].values, dtype=np.float64)
    try:
        return np.stack([column.values for column in columns], axis=1).astype(np.float64)
    except ValueError:
        raise bad_input("ragged-matrix", f"the arrays of '{text}' differ in shape") from None
