"""What can be wrong with an expression, its arguments, or a call: one constructor each."""

from __future__ import annotations

from collections.abc import Iterable

import sympy

from symopt.diagnostics import DataError, Diagnostic, Kind

_LONGEST = 120


def shown(thing: object) -> str:
    """A subexpression for a message, cut where it is long."""
    try:
        text = str(thing)
    except RecursionError:
        return f"a deep {type(thing).__name__}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def refusal(code: str, message: str, *notes: str, help: str | None = None) -> DataError:
    """An exception of one mistake."""
    return DataError(Diagnostic(Kind.DATA, code, message, notes=notes, help=help))


def unsupported(part: object, help: str | None = None) -> DataError:
    """Something that there is no native code for."""
    return refusal(
        "unsupported-expression",
        f"cannot compile `{shown(part)}`: {type(part).__name__} has no native form",
        help=help,
    )


def unevaluated(part: object) -> DataError:
    """A derivative, an integral or a limit that nobody has worked out."""
    help = "call `.doit()` on the expression first, or pass the term as an argument"
    if isinstance(part, sympy.Derivative) and part.has(sympy.re, sympy.im):
        help = "declare the symbols real before: `symbols('x', real=True)`"
    return refusal(
        "unevaluated-expression",
        f"cannot compile `{shown(part)}`: it is an unevaluated {type(part).__name__}",
        help=help,
    )


def not_real(part: object) -> DataError:
    """A complex constant."""
    return refusal(
        "complex-expression",
        f"`{shown(part)}` is not real, and native code computes with real numbers only",
        help="take real and imaginary parts apart: `expr.as_real_imag()` of real symbols",
    )


def unknown_symbol(symbol: object, known: Iterable[str]) -> DataError:
    """A symbol of the expression that is not among the arguments."""
    from symopt.typed.errors import nearest

    names = list(known)
    return refusal(
        "unknown-symbol",
        f"`{symbol}` is in the expression and not among the arguments",
        f"the arguments are {', '.join(names)}" if names else "there are no arguments",
        help=nearest(str(symbol), names),
    )


def bad_bound(bound: object, total: object) -> DataError:
    """A limit of a sum that is no integer expression."""
    return refusal(
        "bad-bound",
        f"the limit `{shown(bound)}` of `{shown(total)}` is not an integer known at the call",
        help="limits are sums and products of integers, scalar arguments and outer indices",
    )


def bad_index(place: object, part: object) -> DataError:
    """A subscript that is no integer expression."""
    return refusal(
        "bad-index",
        f"the index `{shown(place)}` of `{shown(part)}` is neither a number nor runs in a sum",
    )


def bad_argument(argument: object, reason: str) -> DataError:
    """Something that cannot be an argument of a function."""
    return refusal("bad-argument", f"`{shown(argument)}` cannot be an argument: {reason}")


def no_expression(thing: object, reason: str) -> DataError:
    """Something in place of an expression."""
    return refusal("bad-expression", f"cannot compile `{shown(thing)}`: {reason}")


def bad_option(name: str, value: object, help: str) -> DataError:
    """An option of SymPy's function that does not apply here."""
    return refusal("bad-option", f"`{name}={shown(value)}` does not go with native code", help=help)


# ── of a call ────────────────────────────────────────────────────────────────────────────────


def not_numbers(name: str, found: str) -> DataError:
    """An argument that is not a number or an array of real numbers."""
    return refusal(
        "wrong-type",
        f"`{name}` must be a real number or an array of real numbers, found {found}",
        help="for complex arguments, use `sympy.lambdify`" if "complex" in found else None,
    )


def not_broadcast(shapes: Iterable[tuple[str, tuple[int, ...]]]) -> DataError:
    """Arrays whose shapes do not go together."""
    found = ", ".join(f"`{name}` {shape}" for name, shape in shapes)
    return refusal("wrong-shape", f"the arguments do not broadcast together: {found}")


def wrong_shape(name: str, wanted: str, found: object) -> DataError:
    """An array or a sequence of another shape than the argument it stands for."""
    return refusal("wrong-shape", f"`{name}` must {wanted}, found {found}")


def not_an_integer(name: str, found: object) -> DataError:
    """A limit of a sum that is given as something else than an integer."""
    return refusal(
        "wrong-type", f"`{name}` limits a sum and must be one integer, found {shown(found)}"
    )
