"""The figure of the separation: the four points, and the two losses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from examples.reproductions.separation.experiment import Example
from examples.reproductions.separation.stationary import Points, Stationary, loss

# Dense around the local minimum, 0.81, and the saddle, 0.817, from which there is no far way to go.
LEVELS = (0.02, 0.1, 0.3, 0.5, 0.7, 0.8, 0.811, 0.813, 0.815, 0.8173, 0.82, 0.83, 0.9, 1, 1.2, 1.6)


def draw(found: tuple[Example, Example], figure: Any) -> None:
    """Lines of the rules; the loss of the four points in a plane; the loss of the line."""
    four, line = found
    lines, plane, unique = figure.subplots(1, 3)
    _lines(lines, four)
    _plane(plane, four)
    _unique(unique, line)


def _lines(axis: Any, example: Example) -> None:
    points = example.points
    for label, marker in ((0, "o"), (1, "s")):
        where = points.places[points.labels == label]
        axis.plot(*where.T, marker, color="k", mfc="w" if label == 0 else "k", ms=5)
    across = np.linspace(-3, 3, 2)
    local = next(at for at in example.stationary if not at.separates and at.kind == "minimum")
    learned = next(o for o in example.outcomes if o.rule.method == "perceptron").weights
    for weights, label, style in (
        (local.weights, "local minimum of the error", "C3--"),
        *((w, "perceptron" if k == 0 else None, "C0-") for k, w in enumerate(learned[:4])),
    ):
        # Where w₁ x + w₂ y + b = 0; the perceptron's lines are nearly upright.
        axis.plot(*_line(weights, across), style, label=label, linewidth=1)
    axis.set(xlim=(-2, 2), ylim=(-11, 4), title="four points: black is 1, white is 0")
    axis.legend(fontsize=7, loc="center right")


def _line(weights: NDArray[np.float64], across: NDArray[np.float64]) -> tuple[Any, Any]:
    first, second, bias = weights
    if abs(second) * 2 > abs(first):
        return across, -(first * across + bias) / second
    along = np.array([-12.0, 5.0])
    return -(second * along + bias) / first, along


def _plane(axis: Any, example: Example) -> None:
    """The loss in the plane of its three stationary points; 0,0 and 1,0 are the minima."""
    best, local = (at.weights for at in example.stationary if at.kind == "minimum")
    saddle = next(at.weights for at in example.stationary if at.kind == "saddle")
    first = best - local
    second = saddle - local - first * ((saddle - local) @ first) / (first @ first)
    second *= np.linalg.norm(first) / np.linalg.norm(second)
    u, v = np.linspace(-0.5, 1.5, 201), np.linspace(-0.8, 0.8, 161)
    weights = local + u[:, None, None] * first + v[None, :, None] * second
    _contours(axis, u, v, loss(example.points, weights), LEVELS)
    for at in example.stationary:
        offset = at.weights - local
        place = (offset @ first / (first @ first), offset @ second / (second @ second))
        _mark(axis, place, at)
    axis.set(xlabel="from the local to the global minimum", title="their squared error")


def _unique(axis: Any, example: Example) -> None:
    """The loss of the points on a line, and the weights that separate them."""
    w, b = np.linspace(-3, 12, 151), np.linspace(-5, 8, 131)
    weights = np.stack(np.meshgrid(w, b, indexing="ij"), axis=-1)
    _contours(axis, w, b, np.log10(loss(example.points, weights)))
    axis.contourf(
        w, b, _separating(example.points, weights).T, levels=(0.5, 1.5), colors=["C0"], alpha=0.25
    )
    for at in example.stationary:
        _mark(axis, (at.weights[0], at.weights[1]), at)
    axis.text(8, 5.2, "separates", color="C0", fontsize=8)
    axis.set(xlabel="w", ylabel="b", title="a line: one minimum (log of error)")


def _separating(points: Points, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    sides = (weights @ points.rows.T > 0) == (points.labels == 1)
    return sides.all(-1).astype(float)


def _contours(axis: Any, u: Any, v: Any, values: NDArray[np.float64], levels: Any = 14) -> None:
    axis.contour(u, v, values.T, levels=levels, cmap="viridis", linewidths=0.7)


def _mark(axis: Any, place: tuple[float, float], at: Stationary) -> None:
    marker = "x" if at.kind == "saddle" else "o"
    axis.plot(*place, marker, color="C0" if at.separates else "C3", ms=6)
