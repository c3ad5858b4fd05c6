"""What derivatives are by: the names that a caller gives as `wrt`, checked."""

from __future__ import annotations

from collections.abc import Iterable

from symopt.call_errors import empty_wrt, integer_wrt, repeated_wrt, unknown_wrt
from symopt.diagnostics import DataError
from symopt.typed.program import Program

Wrt = str | Iterable[str] | None
Names = tuple[str, ...] | None  # in the order given, or all parameters


def names_of(wrt: Wrt, program: Program) -> Names:
    """The names, in the order given; None for all parameters in their own order."""
    if wrt is None:
        return None
    if not isinstance(wrt, Iterable):
        raise DataError(unknown_wrt(wrt, program))
    names = (wrt,) if isinstance(wrt, str) else tuple(wrt)
    if not names:
        raise DataError(empty_wrt(program))
    for number, name in enumerate(names):
        if not isinstance(name, str) or name not in {*program.params, *program.data}:
            raise DataError(unknown_wrt(name, program))
        if name in program.data and program.data[name].index_of is not None:
            raise DataError(integer_wrt(name, program))
        if name in names[:number]:
            raise DataError(repeated_wrt(name))
    return None if names == tuple(program.params) else names
