"""The diagnostics of indices and ranges."""

from __future__ import annotations

from symopt.diagnostics import Diagnostic, Kind, Label
from symopt.source import Span
from symopt.typed.errors import problem
from symopt.types import Dim, Integer


def range_text(lower: Integer, upper: Integer) -> str:
    """`range(n)` or `range(1, n)`."""
    return f"range({upper})" if lower.value == 0 else f"range({lower}, {upper})"


def real_index(span: Span, what: str) -> Diagnostic:
    return problem(
        Kind.SHAPE,
        "real-index",
        f"an index must be an integer, found {what}",
        span,
        help="indices are made of whole numbers, dims, loop indices and integer data "
        "(`data c[n] in k`)",
    )


def real_size(span: Span, what: str) -> Diagnostic:
    return problem(
        Kind.SHAPE,
        "real-size",
        f"a size must be a whole number or made of dims, found {what}",
        span,
        help="sizes are made of whole numbers and dims: `dim k`, then `param w[2*k + 1]`",
    )


def negative_size(span: Span) -> Diagnostic:
    return problem(Kind.SHAPE, "negative-size", "a size cannot be negative", span)


def huge_integer(span: Span) -> Diagnostic:
    return problem(
        Kind.SHAPE,
        "huge-integer",
        "this integer is too large for an index or a size",
        span,
        "more than 2^40",
    )


def division_by_zero(span: Span) -> Diagnostic:
    return problem(
        Kind.SHAPE, "division-by-zero", "an index cannot be divided by zero", span, "always zero"
    )


def two_ranges(
    index: str, first: tuple[Integer, Integer, Span], second: tuple[Integer, Integer, Span]
) -> Diagnostic:
    """An index on two axes that differ, in their dim or only in where they start."""
    (low, high, place), (other_low, other_high, other_place) = first, second
    same_end = high == other_high
    one = range_text(low, high) if same_end else str(high)
    two = range_text(other_low, other_high) if same_end else str(other_high)
    shorter = two if low.value == 0 else one
    written = f"for {index} in {shorter}" if same_end else f"for {index} in range(...)"
    return problem(
        Kind.SHAPE,
        "index-with-two-dims",
        f"index `{index}` runs over both {one} and {two}",
        other_place,
        f"here over {two}",
        also=(Label(place, f"here over {one}"),),
        help=f"write the range, `{written}`"
        + ("" if same_end else ", or use two indices where two dims are meant"),
    )


def no_range(index: str, span: Span, near: tuple[Integer, Integer] | None) -> Diagnostic:
    """`near` is the range of an axis that the index stands on with something added."""
    written = range_text(*near) if near else "range(...)"
    return problem(
        Kind.SHAPE,
        "no-range",
        f"the range of `{index}` cannot be read off: "
        + ("no axis has it as its plain index" if near else "it is not used as an index"),
        span,
        help=f"write it: `for {index} in {written}`",
    )


def range_of_itself(index: str, later: str, span: Span) -> Diagnostic:
    """The range of `index` mentions `later`, which is the same or is bound only after it."""
    own = index == later
    return problem(
        Kind.SHAPE,
        "range-of-itself",
        f"the range of `{index}` depends on `{later}`" + (" itself" if own else ""),
        span,
        f"`{later}` is not bound yet here",
        help="names before one `in` share its range; write outer indices first, each with its "
        "own: `for i in range(n), j in range(i)`",
    )


def unbound_index(index: str, span: Span, target: str) -> Diagnostic:
    return problem(
        Kind.SHAPE,
        "unbound-index",
        f"index `{index}` is not bound: `{target}` does not have it on the left",
        span,
        help=f"sum over it, `sum(... for {index})`, or accumulate: `{target} += ...`",
    )


def unused_range(index: str, span: Span, target: str) -> Diagnostic:
    return problem(
        Kind.SHAPE,
        "unbound-index",
        f"index `{index}` has a range but is not on the left of `{target} = ...`",
        span,
        help=f"add it on the left, or accumulate over it: `{target} += ...`",
    )


def repeated_index(index: str, span: Span) -> Diagnostic:
    return problem(
        Kind.SHAPE,
        "repeated-index",
        f"index `{index}` stands twice on the left",
        span,
        help="give only some elements a value with `+=`: a diagonal is "
        f"`D[{index}, {index}] += ...`",
    )


def out_of_range(
    place: Integer, text: str, axis: tuple[Integer, Integer], reach: Integer, span: Span, name: str
) -> Diagnostic:
    """`axis` is the range of the axis; `reach` the value outside of it that the index takes."""
    lower, upper = axis
    size = f"size {upper}" if lower.value == 0 else f"indices {lower} to {upper - 1}"
    only = place.terms[0][0][0] if len(place.terms) == 1 and place.terms[0][0] else None
    if isinstance(only, Dim) and place == upper:
        help_text = (
            f"`{text}` is a dim: the last index is {place - 1}; name a running index otherwise"
        )
    elif place.value is not None:
        help_text = f"indices count from {lower}: the last is {upper - 1}"
    else:
        help_text = (
            "shorten the range, `for i in range(...)`, or guard the read: `... if ... else 0`"
        )
    return problem(
        Kind.SHAPE,
        "index-out-of-range",
        f"index `{text}` leaves the axis of `{name}`, which has {size}",
        span,
        f"is {reach}" if reach == place else f"reaches {reach}",
        help=help_text,
    )


def slice_too_long(span: Span, stop: Integer, upper: Integer, name: str) -> Diagnostic:
    return problem(
        Kind.SHAPE,
        "index-out-of-range",
        f"slice `{span.text}` leaves the axis of `{name}`, which ends at {upper}",
        span,
        f"ends at {stop}",
        help="leave the end off to take everything: `x[1:]`",
    )


def negative_index(span: Span, upper: Integer) -> Diagnostic:
    return problem(
        Kind.SHAPE,
        "negative-index",
        "an index cannot be negative",
        span,
        help=f"indices count from the front: the last one here is `{upper - 1}`",
    )


def negative_target(span: Span, least: Integer) -> Diagnostic:
    return problem(
        Kind.SHAPE,
        "negative-index",
        "an element with a negative index cannot be written",
        span,
        f"starts at {least}",
        help="start the range later: `for i in range(...)`",
    )


def filtered_definition(span: Span) -> Diagnostic:
    return problem(
        Kind.SHAPE,
        "filtered-definition",
        "a definition gives every element a value, so it cannot have a filter",
        span,
        help="say what the others are, `a if condition else b`, or accumulate with `+=`",
    )


def index_in_use(index: str, span: Span) -> Diagnostic:
    return problem(
        Kind.SHAPE,
        "index-in-use",
        f"index `{index}` is already running around this `for`",
        span,
        help="use another letter",
    )
