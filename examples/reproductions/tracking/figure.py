"""The figure of the hand tracker: error against points, and against time."""

from __future__ import annotations

from typing import Any

from examples.reproductions.tracking.experiment import Findings


def draw(found: Findings, figure: Any) -> None:
    """Two panels with a line for each tracker."""
    by_points, by_time = figure.subplots(1, 2, sharey=True)
    for number, (tracker, runs) in enumerate(found.runs.items()):
        runs = [run for run in runs if run.error < 2 * found.motion]  # not those that are lost
        errors = [run.error for run in runs]
        style = {"color": f"C{number}", "marker": "o" if tracker.drawn else "s", "markersize": 3}
        by_points.loglog([run.points for run in runs], errors, label=tracker.label, **style)
        by_time.loglog([run.time for run in runs], errors, **style)
    for axis, label in ((by_points, "points evaluated"), (by_time, "processor time [ms]")):
        axis.set_xlabel(f"{label}, per frame")
        axis.axhline(found.motion, color="0.6", linestyle=":", linewidth=1)
        axis.grid(alpha=0.3)
    by_points.annotate(
        "the motion of a frame",
        (0.02, found.motion),
        (0, 3),
        color="0.4",
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        fontsize=7,
    )
    by_points.set_ylabel("mean distance from the true skin [mm]")
    by_points.legend(fontsize=7)
