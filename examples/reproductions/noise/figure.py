"""The figure of the page: noise, schedules, a moving target, speed."""

from __future__ import annotations

from typing import Any

import numpy as np

from examples.reproductions.noise.experiment import Findings


def draw(found: Findings, figure: Any) -> None:
    """Four panels."""
    noisy, schedules, tracking, speeds = figure.subplots(1, 4)
    places = np.arange(len(found.noisy))
    noisy.barh(places - 0.25, [n.whole for n in found.noisy], 0.25, label="all samples")
    noisy.barh(places, [n.batches for n in found.noisy], 0.25, label="batches of 5")
    noisy.barh(places + 0.25, [n.consistent for n in found.noisy], 0.25, label="each by itself")
    noisy.set(
        title="distance left",
        xscale="log",
        yticks=places,
        yticklabels=[n.method for n in found.noisy],
    )
    noisy.legend(fontsize=6)

    for scheduled in found.schedules:
        schedules.loglog(found.counts, scheduled.errors, "o-", label=scheduled.schedule)
    schedules.set(title="schedules", xlabel="steps", ylabel="mean squared distance")
    schedules.legend(fontsize=6)

    for one in found.tracking:
        tracking.plot(one.distance[:-1], label=one.label, linewidth=0.8)
    tracking.set(title="a moving target", xlabel="step", ylabel="distance")
    tracking.legend(fontsize=6)

    for speed in found.speeds:
        speeds.loglog(list(speed.steps), list(speed.steps.values()), "o-", label=speed.label)
    speeds.set(title="steps to 1e-6", xlabel="condition number")
    speeds.legend(fontsize=6)
