"""The four-regions task, and who learns it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from examples.reproductions.regions.experiment import measure, report
from examples.reproductions.regions.task import drawn, grid, region, wandering

DATA = Path(__file__).parents[1] / "data" / "four_regions" / "grid40.csv"


def test_regions_are_those_of_the_published_grid():
    with open(DATA, newline="") as file:
        rows = [[float(cell) for cell in row.values()] for row in csv.DictReader(file)]
    points = np.array(rows)
    np.testing.assert_array_equal(region(points[:, :2]), points[:, 2])
    assert {tuple(p) for p in np.round(grid(), 9)} == {tuple(p) for p in np.round(points[:, :2], 9)}


@pytest.mark.parametrize("source", [drawn, wandering])
def test_points_fill_the_square_by_area(source):
    points = np.concatenate([batch["x"] for batch in source(2000, 20, 0)])
    assert np.abs(points).max() <= 1
    exact = np.array([13 * np.pi / 144, np.pi / 12, *[(4 - 25 * np.pi / 36) / 8] * 2])
    share = np.bincount(region(points)) / len(points)
    # Of 40,000 points; those of the walk are worth far fewer independent ones.
    np.testing.assert_allclose(share, exact, atol=0.01 if source is drawn else 0.05)


def test_a_walk_is_autocorrelated():
    points = np.concatenate([batch["x"] for batch in wandering(100, 10, 0)])
    assert np.corrcoef(points[:-1, 0], points[1:, 0])[0, 1] > 0.9
    independent = np.concatenate([batch["x"] for batch in drawn(100, 10, 0)])
    assert abs(np.corrcoef(independent[:-1, 0], independent[1:, 0])[0, 1]) < 0.15


@pytest.fixture(scope="module")
def found():
    return measure(quick=True)


def test_second_order_methods_learn_most_from_a_pattern(found):
    curves = found.independent
    last = {name: curve.loss[-5:].mean() for name, curve in curves.items()}
    assert last["SMD"] < 0.8 * last["SGD"]
    assert last["SMD"] < last["ALAP"]
    assert last["SMD, careful"] < last["SGD, careful"]
    # The filter has seen fewer patterns, and the others are nowhere then.
    seen = curves["GEKF"].patterns[-1]
    for name in ("SGD", "ALAP", "SMD"):
        assert curves["GEKF"].final < 0.5 * curves[name].after(seen)


def test_no_careful_run_breaks_on_a_walk(found):
    for name, curve in found.wandering.items():
        if name.endswith("careful"):
            assert curve.broke == 0
            assert np.isfinite(curve.loss).all()


def test_storage_is_that_of_the_published_table(found):
    storage = {name: cost.storage for name, cost in found.costs.items()}
    assert storage["SGD"] == pytest.approx(1, abs=0.05)
    assert storage["SMD"] == pytest.approx(3, abs=0.05)
    assert storage["ALAP"] == pytest.approx(4, abs=0.05)
    assert storage["GEKF"] > 90


def test_the_report_is_whole(found):
    assert "nan" not in report(found)
