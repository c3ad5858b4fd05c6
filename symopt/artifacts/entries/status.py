"""What entries of compiled code return."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class Status(IntEnum):
    """Why an entry wrote nothing; with NONFINITE, what it wrote is nan or infinite somewhere."""

    OK = 0
    NULL = 1
    NEGATIVE = 2
    TOO_LARGE = 3
    WORKSPACE = 4
    INDEX = 5
    ORDER = 6
    DIVISOR = 7
    OVERLAP = 8
    NONFINITE = 9
    PROCESSOR = 10
    CASES = 11


MESSAGES: Mapping[Status, str] = {
    Status.OK: "fine",
    Status.NULL: "a pointer is null",
    Status.NEGATIVE: "a size is negative",
    Status.TOO_LARGE: "the sizes are too large for the memory of any machine",
    Status.WORKSPACE: "the workspace is too small",
    Status.INDEX: "an index is out of range",
    Status.ORDER: "a step of a recurrence reads one that is not computed before it",
    Status.DIVISOR: "an index divides by zero",
    Status.OVERLAP: "a result overlaps another one, or what it is computed from",
    Status.NONFINITE: "a result is nan or infinite",
    Status.PROCESSOR: "this processor lacks what the code was compiled for",
    Status.CASES: "two cases of a definition write the same element",
}
