"""Tables of the outcomes, for a terminal and for a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.benchmarks.fast_core.measure import Outcome, Row, Verdict

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_HEADINGS = ("", "median", "least", "per sample", "symopt / this", "error")


def duration(seconds: float) -> str:
    """Three digits and a unit."""
    scale, unit = next((pair for pair in _UNITS if seconds >= pair[0]), _UNITS[-1])
    number = seconds / scale
    digits = 2 if number < 10 else 1 if number < 100 else 0
    return f"{number:.{digits}f} {unit}"


def title(outcome: Outcome) -> str:
    """What was timed, and at which size."""
    work = outcome.work
    return f"{work.title}, n = {work.n:,}" if work.n > 1 else work.title


def verdict(found: Verdict) -> str:
    """A goal, and whether it is met."""
    families = " and ".join(found.goal.families)
    best = "" if found.best in found.goal.families else f" ({found.best})"
    met = "met" if found.met else "NOT MET"
    return f"{found.ratio:.3f} × {families}{best}, goal ≤ {found.goal.limit:g}: {met}"


def as_text(outcome: Outcome) -> str:
    """A table for a terminal."""
    lines = [title(outcome), *_columns([_HEADINGS, *_cells(outcome)])]
    return "\n".join([*lines, *(f"  {verdict(found)}" for found in outcome.verdicts)])


def as_markdown(outcome: Outcome) -> str:
    """A table for a page."""
    rows = [_HEADINGS, ("---",) * len(_HEADINGS), *_cells(outcome)]
    lines = [f"### {title(outcome)}", "", *(f"| {' | '.join(row)} |" for row in rows), ""]
    return "\n".join([*lines, *(f"- {verdict(found)}" for found in outcome.verdicts), ""])


def summary(outcomes: Iterable[Outcome]) -> str:
    """How many goals are met, and those that are not."""
    found = [(one, each) for one in outcomes for each in one.verdicts]
    open_ = [f"  {title(one)}: {verdict(each)}" for one, each in found if not each.met]
    return "\n".join([f"{len(found) - len(open_)} of {len(found)} goals met", *open_])


def _cells(outcome: Outcome) -> list[tuple[str, ...]]:
    return [_cell(row, outcome.work.n) for row in outcome.rows]


def _cell(row: Row, n: int) -> tuple[str, ...]:
    return (
        row.name,
        duration(row.median),
        duration(row.least),
        f"{row.median / n * 1e9:.2f} ns",
        f"{row.ratio:.3f}",
        f"{row.error:.0e}",
    )


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    first, *others = widths
    return [
        "  ".join(
            [f"  {row[0]:<{first}}", *(f"{c:>{w}}" for c, w in zip(row[1:], others, strict=True))]
        )
        for row in rows
    ]
