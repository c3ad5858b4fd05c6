"""Choices of a schedule."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """How to schedule; the numbers are measured choices, see docs/decisions.

    `lanes` samples run side by side; `sample` is the declared sample dim. A value that more than
    `recompute` passes need is stored; else each computes it again, so that memory does not grow
    with the samples. An update of up to `written_out` operations is emitted once for each of its
    points; of longer ones the outer loops run around the blocks of samples. Up to `registers` sums
    over samples are kept in registers at a time.
    """

    lanes: int = 8
    sample: str | None = None
    recompute: int = 6
    written_out: int = 512
    registers: int = 24
