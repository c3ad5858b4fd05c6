"""The figure of the page: the task, and loss against patterns on both kinds of points."""

from __future__ import annotations

from typing import Any

from examples.reproductions.regions.experiment import Findings
from examples.reproductions.regions.task import grid, region, wandering


def draw(found: Findings, figure: Any) -> None:
    """Three panels."""
    task, independent, walk = figure.subplots(1, 3)
    task.imshow(
        region(grid(200)).reshape(200, 200),
        extent=(-1, 1, -1, 1),
        origin="lower",
        cmap="Pastel2",
        interpolation="nearest",
    )
    points = next(iter(wandering(1, 200, seed=1)))["x"]
    task.plot(points[:, 0], points[:, 1], linewidth=0.7, color="black")
    task.set(title="four regions, and a walk")
    panels = ((independent, found.independent), (walk, found.wandering))
    for panel, curves in panels:
        for number, (name, curve) in enumerate(curves.items()):
            method, _, careful = name.partition(", ")
            line = "--" if careful else "-"
            color = f"C{number % (len(curves) // 2)}"
            label = None if careful else method
            panel.plot(curve.patterns, curve.loss, line, color=color, linewidth=1, label=label)
        panel.set(xlabel="patterns", ylabel="loss of fresh points", ylim=(0, 1.5))
    independent.set(title="independent points")
    walk.set(title="points of a walk")
    independent.plot([], [], "--", color="black", linewidth=1, label="careful")
    independent.legend(fontsize=7)
