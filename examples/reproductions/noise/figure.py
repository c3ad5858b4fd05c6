"""The figure of the page: noise, schedules, a moving target, speed."""

from __future__ import annotations

from typing import Any

import numpy as np

from examples.reproductions.noise.experiment import Findings


def draw(found: Findings, figure: Any) -> None:
    """Four panels."""
    noisy, schedules, tracking, speeds = figure.subplots(1, 4)
    places = np.arange(len(found.noisy))
    seen = (
        ("all samples", [n.whole for n in found.noisy]),
        ("batches of 5", [n.batches for n in found.noisy]),
        ("each by itself", [n.consistent for n in found.noisy]),
    )
    for (label, left), marker in zip(seen, "o^s", strict=True):
        noisy.plot(left, places, marker, label=label)
    noisy.set(
        title="distance left",
        xscale="log",
        xlim=(1e-16, 10),
        ylim=(len(places) - 0.5, -1.8),  # with room for the legend
        yticks=places,
        yticklabels=[n.method.removeprefix("cg-") for n in found.noisy],
    )
    noisy.grid(axis="y", linewidth=0.4)
    noisy.legend(fontsize=6, loc="upper left")

    for scheduled in found.schedules:
        schedules.loglog(found.counts, scheduled.errors, "o-", label=scheduled.schedule)
    schedules.set(title="schedules", xlabel="steps", ylabel="mean squared distance")
    schedules.legend(fontsize=6)

    for one in found.tracking:
        window = max(len(one.distance) // 100, 1)
        means = one.distance[: 99 * window].reshape(-1, window).mean(axis=1)
        tracking.plot((np.arange(99) + 0.5) * window, means, label=one.label, linewidth=1)
    tracking.set(title="a moving target", xlabel="step", ylabel="distance", ylim=(0, None))
    tracking.legend(fontsize=6)

    for speed in found.speeds:
        speeds.loglog(list(speed.steps), list(speed.steps.values()), "o-", label=speed.label)
    speeds.set(title="steps to 1e-6", xlabel="condition number")
    speeds.legend(fontsize=6)
