"""The diagnostics of calls: vectors, results and names that do not fit a problem."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symopt.diagnostics import Diagnostic, Kind, Label
from symopt.source import Span
from symopt.typed.errors import nearest
from symopt.typed.program import Program


def wrong_vector(name: str, size: int, found: tuple[int, ...]) -> Diagnostic:
    """A flat vector of another shape."""
    help = "`problem.pack({...})` makes the flat vector from parameters by name"
    if name != "p":
        help = f"or several vectors at once, as the columns of ({size}, k)"
    message = f"{name} must have shape ({size},), found {found}"
    return Diagnostic(Kind.DATA, "wrong-shape", message, help=help)


def wrong_points(size: int, found: tuple[int, ...]) -> Diagnostic:
    """Points that are not the rows of a matrix."""
    message = f"points must have shape (k, {size}), one in each row, found {found}"
    return Diagnostic(Kind.DATA, "wrong-shape", message)


def not_real(found: NDArray[Any]) -> Diagnostic:
    """An array of complex numbers."""
    message = f"points and vectors are of real numbers, found {found.dtype}"
    return Diagnostic(Kind.DATA, "not-numeric", message)


def wrong_out(arrays: Sequence[NDArray[Any]], out: Sequence[Any]) -> Diagnostic:
    """Something else than arrays that results can be written to."""
    wanted = " and ".join(f"an array of {a.dtype} with shape {a.shape}" for a in arrays)
    return Diagnostic(
        Kind.DATA,
        "wrong-shape",
        f"out must be {wanted}, found {' and '.join(map(_described, out)) or 'nothing'}",
    )


def out_of_number() -> Diagnostic:
    """An array for a result that is a number."""
    return Diagnostic(Kind.DATA, "wrong-shape", "out is of no use for a single number")


def _described(out: Any) -> str:
    if not isinstance(out, np.ndarray):
        return type(out).__name__
    what = f"{out.dtype} with shape {out.shape}"
    return what if out.flags.writeable else f"{what}, read-only"


def unknown_definition(name: str, known: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        Kind.DATA,
        "unknown-definition",
        f"there is no definition `{name}`",
        help=nearest(name, known) or f"the definitions are {', '.join(known)}",
    )


def no_cut() -> Diagnostic:
    return Diagnostic(
        Kind.DERIVATIVE,
        "no-cut",
        "this needs the model's outputs, and the program does not say what they are",
        help="mark them: `model z = ...`, or `residual r[i] = ...`",
    )


# ── what derivatives are by ──────────────────────────────────────────────────────────────────────


def no_slope(name: str, program: Program, what: str) -> Diagnostic:
    """A derivative by what enters through piecewise constant functions alone."""
    return Diagnostic(
        Kind.DERIVATIVE,
        "no-derivative",
        f"{what} depends on `{name}` only through piecewise constant functions",
        (Label(_declared(name, program), "declared here"),),
        notes=("floor, ceil, sign, //, comparisons and conditions have derivative 0",),
        help="use a smooth function instead, or a method without derivatives",
    )


def not_used(name: str, program: Program, what: str) -> Diagnostic:
    """A derivative by a name that plays no part."""
    return Diagnostic(
        Kind.DERIVATIVE,
        "no-derivative",
        f"{what} does not depend on `{name}`",
        (Label(_declared(name, program), "declared here"),),
        help="leave it out of wrt",
    )


def _declared(name: str, program: Program) -> Span:
    return (program.params.get(name) or program.data[name]).span


def unknown_wrt(name: object, program: Program) -> Diagnostic:
    """A derivative by something that is neither a parameter nor float data."""
    known = _names(program)
    if not isinstance(name, str):
        found = f"wrt must be a name or several, found {type(name).__name__}"
    elif any(definition.name == name for definition in program.definitions):
        found = f"`{name}` is a definition: derivatives are by parameters or data"
    else:
        found = f"there is no parameter or data `{name}`"
    near = nearest(name, known) if isinstance(name, str) else None
    return Diagnostic(
        Kind.DATA, "unknown-wrt", found, help=near or f"derive by {', '.join(known) or 'nothing'}"
    )


def integer_wrt(name: str, program: Program) -> Diagnostic:
    """A derivative by data that are indices."""
    return Diagnostic(
        Kind.DATA,
        "integer-wrt",
        f"`{name}` holds indices: there is no derivative by whole numbers",
        (Label(program.data[name].span, "declared here"),),
        help=f"derive by {', '.join(_names(program)) or 'nothing'}",
    )


def repeated_wrt(name: str) -> Diagnostic:
    return Diagnostic(Kind.DATA, "repeated-wrt", f"`{name}` is in wrt twice")


def empty_wrt(program: Program) -> Diagnostic:
    return Diagnostic(
        Kind.DATA,
        "empty-wrt",
        "wrt has no names",
        help=f"derive by {', '.join(_names(program)) or 'nothing'}, or leave wrt away",
    )


def _names(program: Program) -> list[str]:
    """What derivatives may be by."""
    floats: Iterable[str] = (d.name for d in program.data.values() if d.index_of is None)
    return [*program.params, *floats]


def unknown_fisher(kind: Any) -> Diagnostic:
    """A kind of Fisher matrix that there is not."""
    message = f'kind must be "empirical", "model" or "covariance", found {kind!r}'
    return Diagnostic(Kind.DATA, "unknown-kind", message, help=nearest(str(kind), _FISHER))


_FISHER = ("empirical", "model", "covariance")
