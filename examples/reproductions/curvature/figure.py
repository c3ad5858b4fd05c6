"""The figure of the page: Newton, conjugate gradients and products."""

from __future__ import annotations

from typing import Any

import numpy as np

from examples.reproductions.curvature.experiment import Findings


def draw(found: Findings, figure: Any) -> None:
    """Three panels."""
    newton, conjugate, products = figure.subplots(1, 3)
    left = [max(run.last, 1e-17) for run in found.newton]
    newton.semilogy([run.rate for run in found.newton], left, "o-")
    newton.axhline(1, linewidth=0.8, color="black")
    newton.set(title="Newton on a quadratic", xlabel="η", ylabel="distance left after 20 steps")

    names = [c.method.removeprefix("cg-") for c in found.conjugate]
    places = np.arange(len(names))
    conjugate.barh(places, [c.gradients for c in found.conjugate])
    conjugate.set(title="gradients on a curved valley", yticks=places, yticklabels=names)

    products.loglog(found.lengths, found.differences, "o-", label="differences")
    products.axhline(max(found.complex_step, 1e-17), color="C1", label="complex step")
    products.set(title="Hessian-vector products", xlabel="length h", ylabel="relative error")
    products.legend(fontsize=7)
