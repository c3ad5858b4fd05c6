"""The figure of the page: ways on a quadratic, steps by condition, rates, a saddle."""

from __future__ import annotations

from typing import Any

import numpy as np

from examples.reproductions.descent.experiment import Findings, chain_minimum, lipschitz_bound


def draw(found: Findings, figure: Any) -> None:
    """Four panels."""
    ways, conditions, rates, saddle = figure.subplots(1, 4)
    for way in found.series:
        ways.plot(way.points[:12, 0], way.points[:12, 1], marker=".", label=f"η = {way.rate:g}")
    ways.set(title="curvatures 1 and 1/3", xlabel="w₀", ylabel="w₁")
    ways.legend(fontsize=6)

    numbers = [condition.number for condition in found.conditions]
    conditions.loglog(numbers, [c.steps for c in found.conditions], "o", label="measured")
    conditions.loglog(numbers, [c.predicted for c in found.conditions], label="predicted")
    conditions.set(title="steps to 1e-6", xlabel="condition number")
    conditions.legend(fontsize=7)

    minimum, least = chain_minimum(found.sublinear.points.shape[1])
    steps = np.arange(1, len(found.sublinear.values))
    bound = lipschitz_bound(found.sublinear, least, minimum) - least
    rates.loglog(steps, bound, "C0--", label="bound of the chain")
    rates.loglog(steps, found.sublinear.values[1:] - least, "C0", label="chain")
    counts = [gap.steps for gap in found.worst]
    rates.loglog(counts, [gap.measured for gap in found.worst], "C1o-", label="worst for k steps")
    rates.loglog(
        np.arange(1, len(found.linear.values)), found.linear.values[1:], "C2", label="κ = 10"
    )
    rates.set(title="f − f*", xlabel="step", ylim=(1e-9, None))
    rates.legend(fontsize=7)

    left = [s for s in found.saddles if s.steps is not None]
    saddle.semilogx([s.offset for s in left], [s.steps for s in left], "o-")
    saddle.set(title="steps at a saddle", xlabel="distance of the start from the ridge")
