"""The figure of the digits: loss against passes, and some images that are taken for others."""

from __future__ import annotations

from typing import Any

import numpy as np

from examples.reproductions.digits.experiment import Learned, Task, images


def draw(found: tuple[Task, Task], figure: Any) -> None:
    """A panel of losses for each network, and one with test images and what was read."""
    figure.set_size_inches(10, 3.8)
    *losses, mistakes = figure.subplots(1, 3, width_ratios=(1.2, 1.2, 1))
    for axis, task in zip(losses, found, strict=True):
        for number, learned in enumerate(task.learned):
            _loss(axis, learned, f"C{number}")
        axis.set(xlabel="passes or iterations", ylabel="loss", title=task.title)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    _mistakes(mistakes, found[1])


def _loss(axis: Any, learned: Learned, color: str) -> None:
    """The loss after each iteration; of batches, the mean of each pass."""
    steps = learned.steps_a_pass
    values = learned.trace["value"]
    values = values[: len(values) // steps * steps].reshape(-1, steps).mean(1)
    axis.loglog(1 + np.arange(len(values)), values, color=color, label=learned.rule.method)


def _mistakes(axis: Any, task: Task) -> None:
    """The first test images that the best network does not read."""
    _, test = images()
    best = max(task.learned, key=lambda learned: learned.tested)
    read = read_ten(best.weights, test.X)
    wrong = np.flatnonzero(read != test.digit)[:20]
    sheet = np.zeros((4 * 10, 5 * 9))
    for place, number in enumerate(wrong):
        row, column = divmod(place, 5)
        sheet[10 * row : 10 * row + 8, 9 * column : 9 * column + 8] = test.X[number].reshape(8, 8)
        axis.text(9 * column, 10 * row + 9.4, f"{test.digit[number]} as {read[number]}", fontsize=6)
    axis.imshow(sheet, cmap="gray_r", interpolation="nearest")
    axis.set_axis_off()
    axis.set_title(f"not read by {best.rule.method}", fontsize=9)


def read_ten(weights: np.ndarray, X: np.ndarray) -> np.ndarray:
    """What the network 64-32-10 reads, by NumPy."""
    W1, b1, W2, b2 = np.split(weights, np.cumsum([64 * 32, 32, 32 * 10]))
    hidden = np.tanh(X / 16 @ W1.reshape(64, 32) + b1)
    return np.argmax(hidden @ W2.reshape(32, 10) + b2, axis=1)
