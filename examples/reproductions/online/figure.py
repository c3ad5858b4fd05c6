"""The figure of the online network: its loss against patterns and time, and what it says."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np

from examples.reproductions.online.experiment import FLOW, TESTING, Findings

SMOOTHED = 20  # batches of a point of a curve


def draw(found: Findings, figure: Any) -> None:
    """Loss against patterns, loss against time, and one of the flows."""
    by_pattern, by_time, flow = figure.subplots(1, 3)
    for one in found.learned:
        whole = len(one.losses) // SMOOTHED * SMOOTHED
        losses = one.losses[:whole].reshape(-1, SMOOTHED).mean(1)
        patterns = (np.arange(len(losses)) + 0.5) * SMOOTHED * FLOW.flows
        by_pattern.loglog(patterns, losses, label=one.rule.method)
        by_time.loglog(patterns * one.pattern / 1000, losses)
    for axis, label in ((by_pattern, "patterns"), (by_time, "time of learning [s]")):
        axis.axhline(found.persistence, color="0.6", linestyle=":", linewidth=1)
        axis.axhline(found.linear, color="0.6", linestyle="--", linewidth=1)
        axis.set(xlabel=label)
        axis.grid(alpha=0.3)
    by_pattern.set_ylabel("squared error / variance")
    by_pattern.legend(fontsize=7, title="dotted: no change; dashed: linear", title_fontsize=7)
    fields = next(islice(FLOW.stream(TESTING), 1))
    pair = [fields[name][0].reshape(2 * [FLOW.size // FLOW.every]).T for name in ("now", "later")]
    flow.imshow(np.hstack(pair), cmap="RdBu", interpolation="nearest")
    flow.axvline(FLOW.size // FLOW.every - 0.5, color="k", linewidth=1)
    flow.set_axis_off()
    flow.set_title("a flow now, and later")
