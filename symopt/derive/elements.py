"""Loops over all elements of a tensor."""

from __future__ import annotations

from symopt.types import Integer, Range, constant, index


def element_loops(shape: tuple[Integer, ...]) -> tuple[tuple[Range, ...], tuple[Integer, ...]]:
    """A loop for every axis, and the place of the element at hand."""
    loops = tuple(Range(f"a{axis}", constant(0), size) for axis, size in enumerate(shape))
    return loops, tuple(index(loop.index) for loop in loops)
