"""The 16 NIST StRD nonlinear regression problems as NumPy functions, with certified values."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from symopt.optim import Objective, objective

FOLDER = Path(__file__).parents[1] / "data" / "nist"


def _bennett5(b, x):
    return b[0] * (b[1] + x) ** (-1 / b[2])


def _boxbod(b, x):
    return b[0] * (1 - np.exp(-b[1] * x))


def _chwirut2(b, x):
    return np.exp(-b[0] * x) / (b[1] + b[2] * x)


def _danwood(b, x):
    return b[0] * x ** b[1]


def _eckerle4(b, x):
    return b[0] / b[1] * np.exp(-0.5 * ((x - b[2]) / b[1]) ** 2)


def _gauss(b, x):
    decay = b[0] * np.exp(-b[1] * x)
    first = b[2] * np.exp(-((x - b[3]) ** 2) / b[4] ** 2)
    return decay + first + b[5] * np.exp(-((x - b[6]) ** 2) / b[7] ** 2)


def _kirby2(b, x):
    return (b[0] + b[1] * x + b[2] * x**2) / (1 + b[3] * x + b[4] * x**2)


def _lanczos(b, x):
    return b[0] * np.exp(-b[1] * x) + b[2] * np.exp(-b[3] * x) + b[4] * np.exp(-b[5] * x)


def _mgh09(b, x):
    return b[0] * (x**2 + x * b[1]) / (x**2 + x * b[2] + b[3])


def _mgh17(b, x):
    return b[0] + b[1] * np.exp(-x * b[3]) + b[2] * np.exp(-x * b[4])


def _misra1c(b, x):
    return b[0] * (1 - (1 + 2 * b[1] * x) ** (-0.5))


def _nelson(b, x):
    return b[0] - b[1] * x[0] * np.exp(-b[2] * x[1])


def _rat42(b, x):
    return b[0] / (1 + np.exp(b[1] - b[2] * x))


_MODELS = {
    "Bennett5": _bennett5,
    "BoxBOD": _boxbod,
    "Chwirut2": _chwirut2,
    "DanWood": _danwood,
    "Eckerle4": _eckerle4,
    "Gauss1": _gauss,
    "Gauss3": _gauss,
    "Kirby2": _kirby2,
    "Lanczos1": _lanczos,
    "Lanczos3": _lanczos,
    "MGH09": _mgh09,
    "MGH17": _mgh17,
    "Misra1a": _boxbod,
    "Misra1c": _misra1c,
    "Nelson": _nelson,
    "Rat42": _rat42,
}


@dataclass(frozen=True)
class NistProblem:
    """One data set with its model, starts and certified results."""

    name: str
    model: Callable
    x: np.ndarray
    y: np.ndarray
    starts: tuple[np.ndarray, np.ndarray]
    certified: np.ndarray
    certified_stderr: np.ndarray
    sum_of_squares: float

    def residuals(self, b):
        return self.y - self.model(b, self.x)

    def jacobian(self, b):
        """By complex step: exact to rounding, and independent of any derivative code."""
        columns = []
        for entry in range(len(b)):
            shifted = np.array(b, dtype=complex)
            # Small beside the parameter, so that even Nelson's b2 = 5e-9 sees no second order.
            shifted[entry] += 1e-150j
            columns.append(np.imag(self.residuals(shifted)) / 1e-150)
        return np.stack(columns, axis=1)

    def objective(self) -> Objective:
        """Residuals and Jacobian, for the least-squares methods."""
        names = [f"b{i + 1}" for i in range(len(self.certified))]
        return objective(residuals=self.residuals, jac=self.jacobian, names=names)

    def plain_objective(self) -> Objective:
        """The same sum of squares as a mere function with a gradient."""
        names = [f"b{i + 1}" for i in range(len(self.certified))]
        return objective(
            lambda b: np.sum(self.residuals(b) ** 2),
            grad=lambda b: 2 * self.jacobian(b).T @ self.residuals(b),
            names=names,
        )


def _columns(path: Path, width: int) -> np.ndarray:
    """The data of a .dat file: the lines from number 61 on."""
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()[60:]]
    return np.array([row for row in rows if len(row) == width], dtype=float).T


def _load(facts) -> NistProblem:
    y, *predictors = _columns(FOLDER / facts["file"], 1 + len(facts["predictors"]))
    if facts["response"] == "log(y)":
        y = np.log(y)
    assert len(y) == facts["n_obs"]
    return NistProblem(
        name=facts["name"],
        model=_MODELS[facts["name"]],
        x=predictors[0] if len(predictors) == 1 else np.stack(predictors),
        y=y,
        starts=(np.array(facts["start1"]), np.array(facts["start2"])),
        certified=np.array(facts["certified"]),
        certified_stderr=np.array(facts["certified_sd"]),
        sum_of_squares=facts["rss"],
    )


def load_problems() -> dict[str, NistProblem]:
    """All 16, by name."""
    text = (FOLDER / "nist_strd.json").read_text(encoding="utf-8")
    return {facts["name"]: _load(facts) for facts in json.loads(text)["problems"]}


def log_relative_error(found, certified) -> float:
    """The number of correct significant digits of the worst entry; 11 were certified."""
    error = np.max(np.abs(np.asarray(found) - certified) / np.abs(certified))
    return 11.0 if error == 0 else float(min(11.0, -np.log10(error)))
