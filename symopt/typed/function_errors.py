"""The diagnostics of functions and imports."""

from __future__ import annotations

from collections.abc import Sequence

from symopt.diagnostics import Diagnostic, Kind, Label
from symopt.source import Span
from symopt.typed.errors import problem


def recursive_function(names: Sequence[str], calls: Sequence[Span]) -> Diagnostic:
    """Functions that call each other in a circle: `names[k + 1]` is called at `calls[k]`."""
    first, *others = calls
    chain = " → ".join(f"`{name}`" for name in names)
    return problem(
        Kind.PARSE,
        "recursive-function",
        f"`{names[0]}` calls itself" + (f": {chain}" if others else ""),
        first,
        f"calls `{names[1]}`" if others else "recursive call here",
        also=tuple(
            Label(call, f"calls `{name}`") for call, name in zip(others, names[2:], strict=True)
        ),
        help="functions are expanded where they are called: write a sum or product over an index",
    )


def calls_too_deep(name: str, span: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "calls-too-deep",
        f"`{name}` is called inside too many other functions",
        span,
        help="give intermediate results a name in the file",
    )


def too_many_calls(most: int, span: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "too-many-calls",
        f"functions are called more than {most} times, counted after their expansion",
        span,
        help="functions of functions multiply: give intermediate results a name in the file",
    )


def recurrence_in_function(name: str, span: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "recurrence-in-function",
        f"`{name}` is a recurrence, which a function cannot hold",
        span,
        "it is defined by cases, or from itself",
        help="define it in the file, outside of functions, with one more index if need be",
    )


def element_order(name: str, expected: int, span: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "element-order",
        f"element {expected} of `{name}` is to be defined here",
        span,
        help=f"give the elements of a local array one after another: `{name}[0]`, `{name}[1]`, ...",
    )


def repeated_local(name: str, span: Span, first: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "duplicate-name",
        f"`{name}` is already defined in this function",
        span,
        "defined again here",
        also=(Label(first, "first defined here"),),
        help="a name is defined once; choose another name",
    )


def name_of_other_file(name: str, span: Span, declared: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "not-imported",
        f"`{name}` is not known here: only functions are imported from {declared.source.name}",
        span,
        "used by an imported function",
        also=(Label(declared, "declared in the imported file"),),
        help=f"make it an argument of the function, or declare `{name}` in the importing file",
    )


def import_clash(name: str, statement: Span, imported: Span, first: Span) -> Diagnostic:
    return problem(
        Kind.PARSE,
        "duplicate-name",
        f"`{name}` of {imported.source.name} is already defined",
        statement,
        "imported here",
        also=(Label(first, "first defined here"), Label(imported, "defined again here")),
        help="a name is defined once; rename one of the two",
    )
