"""The diagnostics of recurrences and definitions by cases."""

from __future__ import annotations

from collections.abc import Sequence

from symopt.diagnostics import Diagnostic, Kind, Label
from symopt.source import Span
from symopt.typed.errors import problem
from symopt.typed.index_errors import range_text
from symopt.types import Range


def unknown_shape(name: str, span: Span) -> Diagnostic:
    return problem(
        Kind.SHAPE,
        "unknown-shape",
        f"the shape of `{name}` cannot be told from its cases",
        span,
        "reads only itself and what is not defined yet",
        help=f"write its indices: `{name}[t, j] = ...`, or a start case: `{name}[0, j] = 0`",
    )


def different_ranks(name: str, ranks: tuple[int, int], spans: tuple[Span, Span]) -> Diagnostic:
    one, other = (f"{rank} {'axis' if rank == 1 else 'axes'}" for rank in ranks)
    return problem(
        Kind.SHAPE,
        "different-ranks",
        f"cases of `{name}` have {one} and {other}",
        spans[1],
        f"of {other}",
        also=(Label(spans[0], f"of {one}"),),
        help="each case has the axes of its brackets and those of its value",
    )


def in_a_circle(names: Sequence[str], span: Span, reads: tuple[Span, ...]) -> Diagnostic:
    return problem(
        Kind.SHAPE,
        "in-a-circle",
        f"{' and '.join(f'`{name}`' for name in names)} are defined by each other",
        span,
        also=tuple(Label(read, "used here") for read in reads),
        help="only along an index can definitions need each other, step by step: `x[t]`, `y[t]`",
    )


def no_order(name: str, span: Span, reads: tuple[Span, ...]) -> Diagnostic:
    return problem(
        Kind.SHAPE,
        "no-order",
        f"`{name}` needs itself: there is no index along which it can be computed step by step",
        span,
        also=tuple(Label(read, "this is not certain to be there by then") for read in reads),
        help="a step may read what is at t-1, t-2, ... or what is at t and does not need it (or, "
        "throughout, at t+1, t+2, ...); an index array may point to earlier steps",
    )


def different_ranges(first: Range, second: Range, spans: tuple[Span, Span]) -> Diagnostic:
    one, other = (range_text(loop.lower, loop.upper) for loop in (first, second))
    return problem(
        Kind.SHAPE,
        "different-steps",
        f"definitions that need each other run over different steps, {one} and {other}",
        spans[1],
        f"over {other}",
        also=(Label(spans[0], f"over {one}"),),
        help="give both the same range, and the elements left over a start case of their own",
    )


def missing_case(name: str, axis: int, place: int, span: Span) -> Diagnostic:
    return problem(
        Kind.SHAPE,
        "missing-case",
        f"no case defines the elements of `{name}` at {place} of axis {axis}",
        span,
        help="give them a start case, or start the range there",
    )


def overlapping_cases(name: str, axis: int, place: int, spans: tuple[Span, Span]) -> Diagnostic:
    return problem(
        Kind.SHAPE,
        "overlapping-cases",
        f"two cases define the elements of `{name}` at {place} of axis {axis}",
        spans[1],
        "here again",
        also=(Label(spans[0], "here first"),),
        help="let the range of one end where the other begins",
    )
