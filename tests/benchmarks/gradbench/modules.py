"""GradBench's modules: how an input is bound to a program, and how results are sent."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import symopt
from symopt.problem import Problem

Vector = np.ndarray
Json = Any

HERE = Path(__file__).parent
# The programs of ADBench are tested against its published values, too.
DIRECTORIES = (HERE, HERE.parents[1] / "programs" / "adbench")


@dataclass(frozen=True, slots=True)
class Function:
    """What is called, and timed, at a bound problem, and how its result is written as JSON."""

    call: Callable[[Problem, Vector], Any]
    send: Callable[[Problem, Any], Json]


@dataclass(frozen=True, slots=True)
class Module:
    """A problem and a point out of an input, and the functions that may be asked for there."""

    bind: Callable[[Json], tuple[Problem, Vector]]
    functions: Mapping[str, Function]


@functools.cache
def model(name: str) -> symopt.Model:
    """The program of that name."""
    found = [directory / f"{name}.sym" for directory in DIRECTORIES]
    return symopt.load(next(path for path in found if path.exists()))


VALUE = Function(Problem.value, lambda problem, value: value)
GRADIENT = Function(Problem.grad, lambda problem, gradient: gradient.tolist())
