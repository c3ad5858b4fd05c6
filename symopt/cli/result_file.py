"""A fit for machines: the JSON document of `--json` and the CSV of `--trace`.

Numbers are written with all their digits. JSON has no words for what is not finite; such numbers
are the strings "NaN", "Infinity" and "-Infinity", which `float()` reads.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from symopt import __version__
from symopt.cli.outcome import Outcome, Quantity
from symopt.cli.refusal import bad_input

# Entries of a result that not every method has, and their names in the document.
_OPTIONAL = {
    "nfev": "values",
    "njev": "gradients",
    "nhev": "hessians",
    "dof": "degrees_of_freedom",
    "covariance": "covariance",
}


def write_json(path: str, document: Mapping[str, object]) -> None:
    """Writes a document, `-` for standard output; a file appears whole or not at all."""
    entries = (f" {_dump(name)}: {_dump(encode(value))}" for name, value in document.items())
    _write(path, "{\n" + ",\n".join(entries) + "\n}\n")


def write_trace(path: str, trace: NDArray[np.void]) -> None:
    """Writes the trace of a run as CSV, one row an iteration."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(trace.dtype.names or ())
    writer.writerows(trace.tolist())
    _write(path, text.getvalue())


def describe_outcome(outcome: Outcome) -> dict[str, object]:
    """The document of a fit."""
    result = outcome.result
    optional = {name: result[key] for key, name in _OPTIONAL.items() if result.get(key) is not None}
    return {
        "symopt": __version__,
        "program": outcome.program,
        "method": outcome.method,
        "reason": outcome.result.reason,
        "seed": outcome.seed,
        "success": bool(result.success),
        "status": int(result.status),
        "message": str(result.message),
        "objective": float(result.fun),
        "largest_gradient_entry": outcome.result.optimality,
        "iterations": int(result.nit),
        **optional,
        "entries": outcome.entries,
        "params": _values(outcome.params),
        "stderr": {
            quantity.name: quantity.standard_error
            for quantity in outcome.params
            if quantity.standard_error is not None
        },
        "reports": _values(outcome.reports),
        "warnings": [diagnostic.message for diagnostic in outcome.warnings],
    }


def encode(value: object) -> object:
    """JSON's own types for mappings, sequences, arrays and numbers."""
    match value:
        case np.ndarray() | np.generic():
            return encode(value.tolist())
        case Mapping():
            return {str(key): encode(item) for key, item in value.items()}
        case list() | tuple():
            return [encode(item) for item in value]
        case float() if math.isnan(value):
            return "NaN"
        case float() if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        case _:
            return value


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _values(quantities: Sequence[Quantity]) -> dict[str, object]:
    return {quantity.name: quantity.value for quantity in quantities}


def _write(path: str, text: str) -> None:
    if path == "-":
        click.echo(text, nl=False)
        return
    target = Path(path)
    if target.exists() and not target.is_file():
        # A pipe or a device (/dev/stdout) cannot be replaced.
        target.write_text(text, encoding="utf-8")
        return
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise bad_input(
            "unwritable-file", f"cannot write '{path}': {error.strerror or error}"
        ) from None


def _umask() -> int:
    """The mask of a new file's permissions; it can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
