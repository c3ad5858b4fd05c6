"""The diagnostics of the typed stage: names, shapes, indices and ranges."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from symopt.diagnostics import Diagnostic, Kind, Label, Severity
from symopt.source import Span
from symopt.types import Integer


def shape_text(shape: Sequence[Integer]) -> str:
    """`(n, k)` as people write shapes; a scalar is `a number`."""
    if not shape:
        return "a number"
    inner = ", ".join(map(str, shape))
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """`did you mean ...?` for a name close to a known one."""
    near = difflib.get_close_matches(name, sorted(set(known)), n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else None


def _problem(
    kind: Kind,
    code: str,
    message: str,
    span: Span,
    label: str = "",
    *,
    also: tuple[Label, ...] = (),
    notes: tuple[str, ...] = (),
    help: str | None = None,
) -> Diagnostic:
    return Diagnostic(kind, code, message, (Label(span, label), *also), notes, help)


# ── names ────────────────────────────────────────────────────────────────────────────────────


def unknown_name(name: str, span: Span, known: Iterable[str]) -> Diagnostic:
    return _problem(
        Kind.PARSE,
        "unknown-name",
        f"`{name}` is not defined",
        span,
        "not declared as data, param or dim, nor defined",
        help=nearest(name, known) or f"declare it, for example `data {name}` or `param {name}`",
    )


def used_before(name: str, span: Span, defined: Span) -> Diagnostic:
    return _problem(
        Kind.PARSE,
        "used-before-definition",
        f"`{name}` is used before it is defined",
        span,
        "used here",
        also=(Label(defined, "defined here"),),
        help="move the definition above its first use",
    )


def duplicate_name(name: str, span: Span, first: Span) -> Diagnostic:
    return _problem(
        Kind.PARSE,
        "duplicate-name",
        f"`{name}` is already defined",
        span,
        "defined again here",
        also=(Label(first, "first defined here"),),
        help="a name is defined once; choose another name",
    )


def not_supported(what: str, span: Span) -> Diagnostic:
    return _problem(
        Kind.PARSE,
        "not-supported",
        f"{what} are part of the language but not yet supported by this version",
        span,
        "not yet supported",
    )


def reserved_name(name: str, span: Span, what: str) -> Diagnostic:
    return _problem(
        Kind.PARSE,
        "reserved-name",
        f"`{name}` cannot be defined: it is {what}",
        span,
        help=f"choose another name, such as `{name}_`",
    )


def unknown_function(name: str, span: Span, known: Iterable[str], is_value: bool) -> Diagnostic:
    help_text = f"`{name}` is an array: index it with brackets, `{name}[...]`" if is_value else None
    return _problem(
        Kind.PARSE,
        "unknown-function",
        f"there is no function `{name}`",
        span,
        help=help_text or nearest(name, known) or f"define it: `def {name}(x) = ...`",
    )


def function_as_value(name: str, span: Span) -> Diagnostic:
    return _problem(
        Kind.PARSE,
        "function-as-value",
        f"`{name}` is a function",
        span,
        "used as a value",
        help=f"call it: `{name}(...)`",
    )


def wrong_arguments(name: str, expected: str, found: int, span: Span) -> Diagnostic:
    return _problem(
        Kind.PARSE,
        "wrong-arguments",
        f"`{name}` takes {expected}, found {found}",
        span,
    )


def unknown_keyword(name: str, keyword: str, span: Span, allowed: Iterable[str]) -> Diagnostic:
    options = ", ".join(f"`{a}=`" for a in allowed)
    return _problem(
        Kind.PARSE,
        "unknown-keyword",
        f"`{name}` has no argument `{keyword}=`",
        span,
        help=f"it takes {options}" if options else "it takes no keyword arguments",
    )


def recursive_function(name: str, span: Span) -> Diagnostic:
    return _problem(
        Kind.PARSE, "recursive-function", f"`{name}` calls itself", span, "recursive call here"
    )


def missing_objective(span: Span, empty: bool) -> Diagnostic:
    return _problem(
        Kind.PARSE,
        "missing-objective",
        "the file is empty" if empty else "there is nothing to minimize",
        span,
        help="add `minimize ...`, or mark residuals: `residual r[i] = y[i] - f[i]`",
    )


def no_params(span: Span) -> Diagnostic:
    return _problem(
        Kind.PARSE,
        "no-params",
        "there are no unknowns",
        span,
        "nothing to minimize over",
        help="declare at least one: `param w init 0`",
    )


def second_objective(span: Span, first: Span) -> Diagnostic:
    return _problem(
        Kind.PARSE,
        "second-objective",
        "there is more than one objective",
        span,
        also=(Label(first, "the first one"),),
        help="add the terms up in one `minimize`",
    )


def loss_with_minimize(span: Span, objective: Span) -> Diagnostic:
    return _problem(
        Kind.PARSE,
        "loss-with-minimize",
        "`loss` and `minimize` cannot both say what the objective is",
        span,
        also=(Label(objective, "the objective is given here"),),
        help="drop `loss ...`, or drop the objective to minimize the sum of all residual losses",
    )


def unknown_loss(name: str, span: Span, known: Iterable[str]) -> Diagnostic:
    known = sorted(known)
    return _problem(
        Kind.PARSE,
        "unknown-loss",
        f"there is no loss `{name}`",
        span,
        help=nearest(name, known) or f"the losses are {', '.join(known)}",
    )


# ── shapes ───────────────────────────────────────────────────────────────────────────────────


def cannot_combine(
    what: str,
    left: Sequence[Integer],
    right: Sequence[Integer],
    left_span: Span,
    right_span: Span,
    span: Span,
) -> Diagnostic:
    return _problem(
        Kind.SHAPE,
        "shape-mismatch",
        f"cannot {what} {shape_text(left)} and {shape_text(right)}",
        span,
        also=(
            Label(left_span, f"shape {shape_text(left)}"),
            Label(right_span, f"shape {shape_text(right)}"),
        ),
        help="axes are matched from the right, as in NumPy, and must be equal or 1",
    )


def wrong_shape(
    what: str, expected: Sequence[Integer], found: Sequence[Integer], span: Span
) -> Diagnostic:
    return _problem(
        Kind.SHAPE,
        "wrong-shape",
        f"{what}: expected {shape_text(expected)}, found {shape_text(found)}",
        span,
    )


def not_scalar(what: str, shape: Sequence[Integer], span: Span) -> Diagnostic:
    return _problem(
        Kind.SHAPE,
        "not-a-number",
        f"{what} must be a single number, found shape {shape_text(shape)}",
        span,
        help="reduce it, for example with `sum(...)` or `mean(...)`",
    )


def too_many_subscripts(name: str, shape: Sequence[Integer], found: int, span: Span) -> Diagnostic:
    return _problem(
        Kind.SHAPE,
        "too-many-subscripts",
        f"`{name}` has {len(shape)} {'axis' if len(shape) == 1 else 'axes'}, found {found} subscripts",
        span,
        f"shape {shape_text(shape)}",
    )


def bad_axis(axis: str, shape: Sequence[Integer], span: Span) -> Diagnostic:
    return _problem(
        Kind.SHAPE, "bad-axis", f"there is no axis {axis} in shape {shape_text(shape)}", span
    )


def needs_array(name: str, span: Span) -> Diagnostic:
    return _problem(
        Kind.SHAPE,
        "needs-array",
        f"`{name}` reduces an array, found a number",
        span,
        help=f"give it an array, or indices: `{name}(e for i)`",
    )


# ── indices and ranges ───────────────────────────────────────────────────────────────────────


def real_index(span: Span, what: str) -> Diagnostic:
    return _problem(
        Kind.SHAPE,
        "real-index",
        f"an index must be an integer, found {what}",
        span,
        help="indices are made of numbers, dims, loop indices and integer data "
        "(`data c[n] in k`)",
    )


def two_dims(index: str, first: Integer, second: Integer, places: tuple[Span, Span]) -> Diagnostic:
    return _problem(
        Kind.SHAPE,
        "index-with-two-dims",
        f"index `{index}` runs over both {first} and {second}",
        places[1],
        f"here over {second}",
        also=(Label(places[0], f"here over {first}"),),
        help=f"write the range: `for {index} in range(...)`, or use two indices",
    )


def no_range(index: str, span: Span) -> Diagnostic:
    return _problem(
        Kind.SHAPE,
        "no-range",
        f"the range of `{index}` cannot be read off the axes it is used on",
        span,
        help=f"write it: `for {index} in range(...)`",
    )


def unbound_index(index: str, span: Span, target: str) -> Diagnostic:
    return _problem(
        Kind.SHAPE,
        "unbound-index",
        f"index `{index}` is not bound on the left",
        span,
        help=f"sum over it, `sum(... for {index})`, or accumulate: `{target} += ...`",
    )


def out_of_range(text: str, extent: Integer, reach: str, span: Span, name: str) -> Diagnostic:
    return _problem(
        Kind.SHAPE,
        "index-out-of-range",
        f"index `{text}` leaves the axis of `{name}`, which has size {extent}",
        span,
        reach,
        help="shorten the range, `for i in range(...)`, or guard the read: `... if ... else 0`",
    )


def negative_index(span: Span) -> Diagnostic:
    return _problem(
        Kind.SHAPE,
        "negative-index",
        "an index cannot be negative",
        span,
        help="count from the front: the last entry of `x[n]` is `x[n-1]`",
    )


def filtered_definition(span: Span) -> Diagnostic:
    return _problem(
        Kind.SHAPE,
        "filtered-definition",
        "a definition gives every element a value, so it cannot have a filter",
        span,
        help="say what the others are, `a if condition else b`, or accumulate with `+=`",
    )


def index_shadows(index: str, span: Span) -> Diagnostic:
    return _problem(
        Kind.SHAPE,
        "index-in-use",
        f"index `{index}` is already running in an outer sum or definition",
        span,
        help="use another letter",
    )


def integer_only(what: str, span: Span) -> Diagnostic:
    return _problem(
        Kind.SHAPE,
        "not-an-integer",
        f"{what} must be an integer expression of dims, indices and integer data",
        span,
    )


# ── derivatives ──────────────────────────────────────────────────────────────────────────────


def never_used(name: str, span: Span) -> Diagnostic:
    return Diagnostic(
        Kind.PARSE,
        "unused-param",
        f"the objective does not depend on `{name}`",
        (Label(span, "declared here, never used"),),
        severity=Severity.WARNING,
    )


def reads_unknowns(name: str, span: Span) -> Diagnostic:
    return _problem(
        Kind.PARSE,
        "reads-unknowns",
        f"starts, bounds and defaults are made of numbers, dims and data, found `{name}`",
        span,
    )
