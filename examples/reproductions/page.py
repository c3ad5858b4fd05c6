"""What the reproductions share: a run from the command line, and a page that says what it found.

`python -m examples.reproductions.NAME` measures, prints its numbers, and puts them and the figure
into docs/reproductions/NAME.md and NAME.svg; with `--quick`, a small run, it only prints.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # pyright: ignore[reportMissingImports]

DOCS = Path(__file__).parents[2] / "docs" / "reproductions"
BEGIN, END = "<!-- numbers: begin -->\n", "<!-- numbers: end -->\n"
F = TypeVar("F")


def run(
    name: str,
    measure: Callable[[bool], F],
    report: Callable[[F], str],
    draw: Callable[[F, Any], None],
) -> None:
    """Measure, print, and bring the page up to date.

    `measure(quick)` has the findings, `report` words them in Markdown, `draw(findings, figure)`
    fills a figure of matplotlib's.
    """
    parser = argparse.ArgumentParser(prog=f"python -m examples.reproductions.{name}")
    parser.add_argument("--quick", action="store_true", help="a small run, printed only")
    quick = parser.parse_args().quick
    found = measure(quick)
    text = report(found)
    print(text)
    if quick:
        return
    _put_numbers(DOCS / f"{name}.md", text)
    figure = empty_figure(name)
    if figure is None:
        print("no figure: matplotlib is missing (pip install 'symopt[plot]')", file=sys.stderr)
        return
    draw(found, figure)
    figure.savefig(DOCS / f"{name}.svg", metadata={"Date": None})


def empty_figure(name: str) -> Figure | None:
    """A figure whose file depends on what is drawn alone; None without matplotlib."""
    try:
        import matplotlib  # pyright: ignore[reportMissingImports]
        from matplotlib.figure import Figure  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    matplotlib.rcParams |= {
        "svg.hashsalt": name,
        "svg.fonttype": "none",
        "path.simplify_threshold": 0.5,
        "font.size": 9,
    }
    return Figure(figsize=(10, 3.4), layout="constrained")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _put_numbers(page: Path, text: str) -> None:
    """The text between the two marks of the page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}{text}\n{END}{after}", encoding="utf-8")
