"""What PyTorch's optimizers do with six unknowns: 100 steps each, see tests/data/torch/make.py."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from symopt.optim import objective
from tests.data.torch.objective import gradient, value

_DATA = Path(__file__).parents[1] / "data/torch"


@dataclass(frozen=True)
class Trajectory:
    """The parameters before the first step and after each, and what made them."""

    arguments: dict
    places: np.ndarray  # (101, 6)


def trajectory_of(name: str) -> Trajectory:
    record = json.loads((_DATA / f"{name}.json").read_text())
    return Trajectory(record["arguments"], np.array(record["trajectory"]))


def same_problem():
    """The objective of the trajectories, by the same operations in the same order."""
    return objective(
        lambda x: value(x.tolist()), grad=lambda x: np.array(gradient(x.tolist()))
    ).sized(6)


def places_of(optimizer, steps: int = 100) -> np.ndarray:
    """The points of a run from the same start."""
    problem = same_problem()
    state = optimizer.init(problem, trajectory_of("sgd").places[0])
    places = [state.point.x]
    for _ in range(steps):
        state = optimizer.step(problem, state)
        places.append(state.point.x)
    return np.array(places)
