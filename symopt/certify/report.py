"""What a check found: functions beside oracles, and for what is wrong, where it went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symopt.source import Span

DIFFERENCES = "central differences"
_LISTED = 4  # functions that a failure names


@dataclass(frozen=True, slots=True)
class Comparison:
    """One function beside one oracle.

    `error` is the greatest of |found - wanted| / scale over all entries. The scale of an entry is
    the greater of |wanted| and how far the entry moves per relative change of all numbers that go
    in, which is what a rounding error does to it. `note` says why nothing could be compared; then
    there is no error.
    """

    function: str
    oracle: str
    error: float
    tolerance: float
    entry: str = ""
    found: float = 0.0
    wanted: float = 0.0
    note: str = ""

    @property
    def compared(self) -> bool:
        return not self.note

    @property
    def ok(self) -> bool:
        return not self.compared or self.error <= self.tolerance

    @property
    def cells(self) -> tuple[str, str, str]:
        """Error, tolerance and verdict as text."""
        if not self.compared:
            return "-", "-", self.note
        verdict = "ok"
        if not self.ok:
            place = f" at {self.entry}" if self.entry else ""
            verdict = f"FAILED: {self.found:.10g} for {self.wanted:.10g}{place}"
        return f"{self.error:.1e}", f"{self.tolerance:.0e}", verdict


@dataclass(frozen=True, slots=True)
class Failure:
    """One derivative that is wrong: of a definition, at `span`, by what it reads there.

    Where every derivative of every statement is right, `read` is empty and `reason` says what is
    left to blame.
    """

    functions: tuple[str, ...]
    definition: str
    read: str
    reason: str
    span: Span | None = None

    @property
    def line(self) -> int | None:
        """The line of the definition."""
        return self.span.line if self.span else None

    def __str__(self) -> str:
        place = f"{self.span}: " if self.span else ""
        first, more = self.functions[:_LISTED], len(self.functions) - _LISTED
        listed = ", ".join(first) + (f" and {more} more" if more > 0 else "")
        return f"{place}{self.reason} (in {listed})"


@dataclass(frozen=True, slots=True)
class Report:
    """All comparisons at one point; none where value or derivatives are not `finite`."""

    comparisons: tuple[Comparison, ...]
    failures: tuple[Failure, ...]
    notes: tuple[str, ...] = ()
    finite: bool = True

    @property
    def ok(self) -> bool:
        """Whether every function agrees with every oracle."""
        return (
            self.finite
            and not self.failures
            and all(comparison.ok for comparison in self.comparisons)
        )

    @property
    def max_error(self) -> float:
        """The greatest error beside exact oracles: all but central differences."""
        exact = (c.error for c in self.comparisons if c.compared and c.oracle != DIFFERENCES)
        return max(exact, default=0.0)

    def __str__(self) -> str:
        rows = [
            ("function", "oracle", "error", "tolerance", ""),
            *((c.function, c.oracle, *c.cells) for c in self.comparisons),
        ]
        lines = _aligned(rows)
        lines += [f"failed: {failure}" for failure in self.failures]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Columns with two spaces between them; numbers to the right."""
    sides = (str.ljust, str.ljust, str.rjust, str.rjust)
    widths = [max(len(row[k]) for row in rows) for k in range(len(sides))]
    lines: list[str] = []
    for row in rows:
        cells = [side(cell, width) for side, cell, width in zip(sides, row, widths, strict=False)]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return lines
