"""Figures, by matplotlib where that is installed (the extra `plot`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from symopt.cli.outcome import Outcome
from symopt.cli.refusal import bad_input


def write_convergence(path: str, traces: Mapping[str, Any], maximize: bool) -> None:
    """The distance to the best value of all, by iterations and by seconds."""
    figure = _figure((9, 4))
    sign = -1.0 if maximize else 1.0
    best = min(float(np.nanmin(sign * trace["value"])) for trace in traces.values())
    left, right = figure.subplots(1, 2, sharey=True)
    for name, trace in traces.items():
        distance = np.minimum.accumulate(sign * trace["value"]) - best
        left.loglog(trace["iteration"] + 1, np.maximum(distance, 0), label=name)
        right.loglog(trace["time"], np.maximum(distance, 0))
    left.set(xlabel="iterations + 1", ylabel="distance to the best value")
    right.set(xlabel="seconds")
    left.legend(fontsize="small")
    _save(figure, path)


def write_fit(path: str, outcome: Outcome) -> None:
    """The run of a fit, and its residuals where it has some."""
    result = outcome.result
    residuals = result.get("residuals")
    figure = _figure((9, 4) if residuals is not None else (5, 4))
    panels = np.atleast_1d(figure.subplots(1, 1 if residuals is None else 2))
    panels[0].plot(result.trace["iteration"], result.trace["value"], marker=".")
    values = result.trace["value"]
    positive = bool((values[np.isfinite(values)] > 0).all())
    panels[0].set(xlabel="iteration", ylabel="objective", yscale="log" if positive else "linear")
    if residuals is not None:
        panels[1].plot(np.arange(len(residuals)), residuals, linestyle="none", marker=".")
        panels[1].axhline(0, linewidth=0.8, color="black")
        panels[1].set(xlabel="residual", ylabel="value")
    figure.suptitle(f"{outcome.program}: {outcome.method}")
    _save(figure, path)


def _figure(size: tuple[float, float]) -> Any:
    try:
        from matplotlib.figure import Figure  # pyright: ignore[reportMissingImports]: an extra
    except ImportError:
        raise bad_input(
            "no-matplotlib",
            "figures need matplotlib, which is not installed",
            help="pip install 'symopt[plot]'",
        ) from None
    return Figure(figsize=size, layout="constrained")


def _save(figure: Any, path: str) -> None:
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise bad_input("unwritable-file", f"cannot write '{path}': {error}") from None
