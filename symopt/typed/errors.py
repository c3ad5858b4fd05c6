"""The diagnostics of the typed stage: names and shapes."""

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
    known = sorted(set(known))
    near = [other for other in known if other.casefold() == name.casefold()]
    near = near or difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else None


def problem(
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
    return problem(
        Kind.PARSE,
        "unknown-name",
        f"`{name}` is not defined",
        span,
        "not declared as data, param or dim, nor defined",
        help=nearest(name, known) or f"declare it, for example `data {name}` or `param {name}`",
    )


def used_before(name: str, span: Span, defined: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "used-before-definition",
        f"`{name}` is used before it is defined",
        span,
        "used here",
        also=(Label(defined, "defined here"),),
        help="move the definition above its first use",
    )


def duplicate_name(name: str, span: Span, first: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "duplicate-name",
        f"`{name}` is already defined",
        span,
        "defined again here",
        also=(Label(first, "first defined here"),),
        help="a name is defined once; choose another name",
    )


def unknown_function(name: str, span: Span, known: Iterable[str], is_value: bool) -> Diagnostic:
    help_text = f"`{name}` is an array: index it with brackets, `{name}[...]`" if is_value else None
    return problem(
        Kind.PARSE,
        "unknown-function",
        f"there is no function `{name}`",
        span,
        help=help_text or nearest(name, known) or f"define it: `def {name}(x) = ...`",
    )


def function_as_value(name: str, span: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "function-as-value",
        f"`{name}` is a function",
        span,
        "used as a value",
        help=f"call it: `{name}(...)`",
    )


def wrong_arguments(name: str, expected: str, found: int | str, span: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "wrong-arguments",
        f"`{name}` takes {expected}, found {found}",
        span,
    )


def unknown_keyword(name: str, keyword: str, span: Span, allowed: Iterable[str]) -> Diagnostic:
    options = ", ".join(f"`{a}=`" for a in allowed)
    return problem(
        Kind.PARSE,
        "unknown-keyword",
        f"`{name}` has no argument `{keyword}=`",
        span,
        help=f"it takes {options}" if options else "it takes no keyword arguments",
    )


def recursive_function(name: str, span: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "recursive-function",
        f"`{name}` calls itself",
        span,
        "recursive call here",
        help="functions are expanded where they are called: write a sum or product over an index",
    )


def random_elsewhere(name: str, span: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "random-outside-start",
        f"`{name}(...)` draws random numbers, which only starts of parameters may do",
        span,
        help=f"write it behind `init`: `param w[d] init {name}(0, 1)`",
    )


def used_in_itself(name: str, span: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "used-in-itself",
        f"`{name}` is used in its own definition",
        span,
        help="a name is defined once, from others: choose another name for one of the two",
    )


def repeated_argument(name: str, span: Span, function: str) -> Diagnostic:
    return problem(
        Kind.PARSE, "duplicate-name", f"`{function}` has two arguments named `{name}`", span
    )


def missing_objective(span: Span, empty: bool) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "missing-objective",
        "the file is empty" if empty else "there is nothing to minimize",
        span,
        help="add `minimize ...`, or mark residuals: `residual r[i] = y[i] - f[i]`",
    )


def no_params(span: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "no-params",
        "there are no unknowns",
        span,
        "nothing to minimize over",
        help="declare at least one: `param w init 0`",
    )


def second_objective(span: Span, first: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "second-objective",
        "there is more than one objective",
        span,
        also=(Label(first, "the first one"),),
        help="add the terms up in one `minimize`",
    )


def loss_with_minimize(span: Span, objective: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "loss-with-minimize",
        "`loss` and `minimize` cannot both say what the objective is",
        span,
        also=(Label(objective, "the objective is given here"),),
        help="drop `loss ...`, or drop the objective to minimize the sum of all residual losses",
    )


def unknown_loss(name: str, span: Span, known: Iterable[str]) -> Diagnostic:
    known = sorted(known)
    return problem(
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
    return problem(
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


def cannot_matrix_multiply(
    left: Sequence[Integer],
    right: Sequence[Integer],
    left_span: Span,
    right_span: Span,
    span: Span,
) -> Diagnostic:
    inner = right[max(len(right) - 2, 0)]
    if left[-1] != inner:
        which = "first" if len(right) == 2 else "only" if len(right) == 1 else "second to last"
        last = "only" if len(left) == 1 else "last"
        help_text = (
            f"the {last} axis of the left, {left[-1]}, must equal the {which} axis of the "
            f"right, {inner}"
        )
    else:
        help_text = "leading axes are matched from the right and must be equal or 1"
    return problem(
        Kind.SHAPE,
        "shape-mismatch",
        f"cannot matrix-multiply {shape_text(left)} and {shape_text(right)}",
        span,
        also=(
            Label(left_span, f"shape {shape_text(left)}"),
            Label(right_span, f"shape {shape_text(right)}"),
        ),
        help=help_text,
    )


def wrong_shape(
    what: str, expected: Sequence[Integer], found: Sequence[Integer], span: Span
) -> Diagnostic:
    wanted = f"have shape {shape_text(expected)}" if expected else "be a number"
    shape = f"shape {shape_text(found)}" if found else "a number"
    return problem(Kind.SHAPE, "wrong-shape", f"{what} must {wanted}, found {shape}", span)


def not_square(name: str, packing: str, shape: Sequence[Integer], span: Span) -> Diagnostic:
    last = f"the last two axes of shape {shape_text(shape)} differ" if len(shape) > 1 else ""
    return problem(
        Kind.SHAPE,
        "not-square",
        f"`{name}` is declared `as {packing}`, but its matrices are not square",
        span,
        last or f"found {len(shape)} {'axis' if len(shape) == 1 else 'axes'}",
        help=f"give the last two axes one size, as in `param {name}[d, d] as {packing}`",
    )


def not_square_argument(name: str, shape: Sequence[Integer], span: Span) -> Diagnostic:
    found = "this has one axis" if shape else ""
    if len(shape) > 1:
        found = f"the last two axes, {shape[-2]} and {shape[-1]}, differ"
    return problem(
        Kind.SHAPE,
        "not-square",
        f"`{name}` takes a square matrix or a stack of them, found {shape_text(shape)}",
        span,
        found,
    )


def cannot_solve(
    matrix: Sequence[Integer],
    right: Sequence[Integer],
    matrix_span: Span,
    right_span: Span,
    span: Span,
) -> Diagnostic:
    rows = right[-2:][:1]
    if not rows:
        help_text = "the right-hand side is a vector, or a matrix of columns"
    elif rows[0] != matrix[-1]:
        which = "the only axis" if len(right) == 1 else "the second to last axis"
        help_text = f"{which} of the right-hand side, {rows[0]}, must equal {matrix[-1]}"
        if len(right) > 1 and right[-1] == matrix[-1]:
            help_text += "; for one vector a matrix use indices: `x[i] = solve(A[i], b[i])`"
    else:
        help_text = "leading axes are matched from the right and must be equal or 1"
    return problem(
        Kind.SHAPE,
        "shape-mismatch",
        f"cannot solve {shape_text(matrix)} for {shape_text(right)}",
        span,
        also=(
            Label(matrix_span, f"shape {shape_text(matrix)}"),
            Label(right_span, f"shape {shape_text(right)}" if right else "a number"),
        ),
        help=help_text,
    )


def wrong_argument_shape(
    name: str,
    expected: Sequence[Integer],
    found: Sequence[Integer],
    span: Span,
    declared: Span,
) -> Diagnostic:
    return problem(
        Kind.SHAPE,
        "wrong-shape",
        f"argument `{name}` must have shape {shape_text(expected)}, found {shape_text(found)}",
        span,
        f"this is {shape_text(found)}",
        also=(Label(declared, "declared here"),),
    )


def not_scalar(what: str, shape: Sequence[Integer], span: Span) -> Diagnostic:
    return problem(
        Kind.SHAPE,
        "not-a-number",
        f"{what} must be a single number, found shape {shape_text(shape)}",
        span,
        help="reduce it, for example with `sum(...)` or `mean(...)`",
    )


def too_many_subscripts(name: str, shape: Sequence[Integer], found: int, span: Span) -> Diagnostic:
    if not shape:
        message = f"`{name}` is a number: it has no axes to index"
    else:
        axes = "1 axis" if len(shape) == 1 else f"{len(shape)} axes"
        message = f"`{name}` has {axes}, found {found} subscripts"
    return problem(
        Kind.SHAPE,
        "too-many-subscripts",
        message,
        span,
        f"`{name}` has shape {shape_text(shape)}" if shape else "",
        help=None if shape else "drop the brackets",
    )


def bad_axis(axis: str, shape: Sequence[Integer], span: Span) -> Diagnostic:
    return problem(
        Kind.SHAPE, "bad-axis", f"there is no axis {axis} in shape {shape_text(shape)}", span
    )


def needs_array(name: str, span: Span, verb: str = "reduces") -> Diagnostic:
    help_text = {
        "reduces": f"give it an array, or indices: `{name}(... for i)`",
        "takes": "give it an array: it works along the last axis",
        "multiplies": "for numbers, `*` is the product",
    }[verb]
    return problem(
        Kind.SHAPE, "needs-array", f"`{name}` {verb} arrays, found a number", span, help=help_text
    )


def dim_default(name: str, found: str, span: Span, negative: bool) -> Diagnostic:
    help_text = "sizes made of other dims are written where they are used: `w[2*k + 1]`"
    return problem(
        Kind.SHAPE,
        "dim-default",
        f"the default of dim `{name}` must be a whole number, found {found}",
        span,
        help=None if negative else help_text,
    )


def unknown_dim(name: str, span: Span, known: Iterable[str]) -> Diagnostic:
    known = sorted(known)
    return problem(
        Kind.SHAPE,
        "unknown-dim",
        f"there is no dim `{name}`",
        span,
        help=nearest(name, known) or f"the dims are {', '.join(known) or 'none'}",
    )


# ── what may be read, and what is never read ─────────────────────────────────────────────────


def never_used(name: str, span: Span) -> Diagnostic:
    return Diagnostic(
        Kind.PARSE,
        "unused-param",
        f"the objective does not depend on `{name}`",
        (Label(span, "declared here, never used"),),
        help="use it, or remove it: it would stay at its start",
        severity=Severity.WARNING,
    )


def reads_unknowns(name: str, span: Span, what: str) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "reads-unknowns",
        f"{what} cannot depend on `{name}`",
        span,
        "computed from unknowns, or one of them",
        help="starts, bounds and defaults are made of numbers, dims and data",
    )
