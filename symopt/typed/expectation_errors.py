"""The diagnostics of `expect` lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from symopt.diagnostics import Diagnostic, Kind
from symopt.source import Span
from symopt.typed.errors import nearest, problem
from symopt.types import Integer

_OBJECTIVE_WORDS = ("objective", "value", "loss", "cost", "optimum", "min", "max", "fun")


def no_comparison(span: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "no-comparison",
        "this expectation compares nothing",
        span,
        help=f"write `expect {_shown(span)} == 1.5 within 1e-6`, or `expect finite`",
    )


def several_comparisons(span: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "several-comparisons",
        "an expectation is one comparison",
        span,
        help="write two lines, one for each side",
    )


def unequal(span: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "unequal-expectation",
        "an expectation is not written with `!=`",
        span,
        help="say what is expected, with `==`, `<`, `<=`, `>` or `>=`",
    )


def of_expression(span: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "expectation-of-expression",
        "an expectation is about `minimum`, a name, an element or `stderr(...)`",
        span,
        "found an expression",
        help=f"give it a name: `report q = {_inside(span)}`, then expect something of it",
    )


def reversed_sides(left: Span, right: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "reversed-expectation",
        "the number expected comes last",
        left.to(right),
        help=f"write `expect {_shown(right)} == {_shown(left)} within 1e-6`",
    )


def missing_tolerance(span: Span, value: float | None) -> Diagnostic:
    """`value` is what is expected, if that is known."""
    if value == 0:
        fix = "write how far off it may be, such as `within 1e-9`: of 0, this is absolute"
    else:
        fix = "write which part of it may be off: `within 1e-6` is about six correct digits"
    message = "an expectation with `==` needs a tolerance"
    return problem(Kind.PARSE, "missing-tolerance", message, span, help=fix)


def needless_tolerance(span: Span, comparison: str) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "needless-tolerance",
        f"an expectation with `{comparison}` has no tolerance",
        span,
        help="leave out `within ...`, or write `==`",
    )


def not_constant(span: Span, what: str) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "not-constant",
        f"{what} must be made of numbers alone",
        span,
        "this is known only when the program runs",
        help="to compare two results, expect something of their difference: `report q = a - b`",
    )


def not_a_number(span: Span, what: str, value: float) -> Diagnostic:
    return problem(Kind.PARSE, "not-a-number", f"{what} is {value}", span)


def negative_tolerance(span: Span) -> Diagnostic:
    return problem(Kind.PARSE, "negative-tolerance", "a tolerance cannot be negative", span)


def wrong_sense(word: str, span: Span, right: str) -> Diagnostic:
    verb = {"minimum": "minimized", "maximum": "maximized"}[right]
    return problem(
        Kind.PARSE,
        "wrong-sense",
        f"the objective of this program is {verb}: it has no {word}",
        span,
        help=f"write `{right}`",
    )


def ambiguous(word: str, span: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "ambiguous-name",
        f"`{word}` is the objective here, and the file defines a `{word}` as well",
        span,
        help="give the definition another name",
    )


def unknown_quantity(name: str, span: Span, known: Iterable[str], best: str) -> Diagnostic:
    """`best` is `minimum` or `maximum`."""
    help_text = nearest(name, {*known, best})
    if name.lower() in _OBJECTIVE_WORDS:
        help_text = f"the least value of the objective is `{best}`"
        if best == "maximum":
            help_text = f"the greatest value of the objective is `{best}`"
    return problem(
        Kind.PARSE,
        "unknown-name",
        f"`{name}` is not defined",
        span,
        "no parameter and no definition has this name",
        help=help_text or f"there are {', '.join([best, *known])}",
    )


def not_found_by_fit(name: str, what: str, span: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "expectation-of-input",
        f"`{name}` is {what}: it is given, not found",
        span,
        help="expect something of a parameter or a definition",
    )


def whole_array(name: str, shape: Sequence[Integer], span: Span) -> Diagnostic:
    zeros = ", ".join("0" for _ in shape)
    axes = "1 axis" if len(shape) == 1 else f"{len(shape)} axes"
    return problem(
        Kind.SHAPE,
        "array-expectation",
        f"`{name}` is an array with {axes}, and one number is expected",
        span,
        help=f"name an element, `{name}[{zeros}]`, or make a number of it: "
        f"`report size = norm({name})`",
    )


def wrong_indices(name: str, shape: Sequence[Integer], found: int, span: Span) -> Diagnostic:
    indices = "1 index" if found == 1 else f"{found} indices"
    axes = {0: "is a number, without axes", 1: "has 1 axis"}.get(
        len(shape), f"has {len(shape)} axes"
    )
    fix = f"write `{name}`" if not shape else f"write `{name}[{', '.join('0' for _ in shape)}]`"
    message = f"`{name}` {axes}, found {indices}"
    return problem(Kind.SHAPE, "wrong-indices", message, span, help=fix)


def index_outside(
    name: str, index: Integer | int, low: object, high: object, span: Span
) -> Diagnostic:
    return problem(
        Kind.SHAPE,
        "index-out-of-range",
        f"index {index} of `{name}` is outside of its axis, which has {low} to {high}",
        span,
        help="indices count from 0",
    )


def varying_index(span: Span) -> Diagnostic:
    message = "an index in an expectation is made of whole numbers and dims"
    return problem(Kind.SHAPE, "varying-index", message, span)


def no_standard_errors(span: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "no-standard-errors",
        "this program has no standard errors: its objective is no plain sum of squares",
        span,
        help="mark `residual`s, without a `loss` and without `minimize`",
    )


def _inside(span: Span) -> str:
    """The expression itself, where its standard error was meant."""
    text = _shown(span)
    return text[len("stderr(") : -1] if text.startswith("stderr(") else text


def _shown(span: Span) -> str:
    text = " ".join(span.text.split())
    return text if len(text) <= 40 else "..."
