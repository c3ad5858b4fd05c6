"""What the pages of docs/reproductions say is so: small runs, and checks by NumPy alone."""

from __future__ import annotations

import functools
import re
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import symopt
from examples.reproductions.digits import experiment as digits
from examples.reproductions.digits.figure import read_ten
from examples.reproductions.online import experiment as online
from examples.reproductions.online.flow import Flow
from examples.reproductions.separation import experiment as separation
from examples.reproductions.separation import stationary
from examples.reproductions.tracking import experiment as tracking

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "reproductions").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_its_figure_and_its_script(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for figure in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text):
        assert (page.parent / figure).is_file()
    for module in re.findall(r"python -m (examples\.[\w.]+)", text):
        assert (ROOT / module.replace(".", "/") / "__main__.py").is_file()


# ── separation ───────────────────────────────────────────────────────────────────────────────────


@functools.cache
def _separated() -> tuple[separation.Example, separation.Example]:
    return separation.measure(True)


def test_four_points_have_a_minimum_that_separates_and_one_that_does_not() -> None:
    four, _ = _separated()
    minima = [at for at in four.stationary if at.kind == "minimum"]
    assert [at.separates for at in minima] == [True, False]
    level = np.log(9)  # of targets 0.1 and 0.9
    # The spoiler pulls with σ'(10 level), some 1e-10, against a curvature of 1e-2.
    np.testing.assert_allclose(minima[1].weights, [level, level, 0], atol=1e-5)
    assert minima[1].loss == pytest.approx(0.81, abs=1e-6)


def test_points_on_a_line_have_one_minimum_and_it_does_not_separate() -> None:
    _, line = _separated()
    (only,) = line.stationary
    assert only.kind == "minimum" and not only.separates
    # No weights on a wide grid do better, and those that separate do much worse.
    w, b = np.linspace(-30, 30, 601), np.linspace(-30, 30, 601)
    weights = np.stack(np.meshgrid(w, b), axis=-1).reshape(-1, 2)
    losses = stationary.loss(line.points, weights)
    nets = weights @ line.points.rows.T
    separates = ((nets > 0) == (line.points.labels == 1)).all(axis=1)
    assert losses.min() >= only.loss
    assert losses[separates].min() > 3 * only.loss


def test_stationary_points_found_by_numpy_are_those_of_the_program() -> None:
    for example in _separated():
        points = example.points
        data = {"X": points.places, "label": points.labels, "copies": points.copies}
        problem = symopt.load(separation.HERE / "unit.sym").bind(data)
        for at in example.stationary:
            value, gradient = problem.value_and_grad(at.weights)
            assert value == pytest.approx(at.loss, rel=1e-12)
            assert np.abs(gradient).max() < 1e-12 * points.copies.max()
            curvatures = np.linalg.eigvalsh(problem.hess(at.weights))
            np.testing.assert_allclose(curvatures, at.curvatures, rtol=1e-8, atol=1e-10)


def test_the_perceptron_separates_and_backpropagation_does_not() -> None:
    for example in _separated():
        known = [at.weights for at in example.stationary if at.kind == "minimum"]
        for outcome in example.outcomes:
            if outcome.rule.program != "unit":
                assert outcome.separates.all(), outcome.rule.label
                continue
            assert not outcome.separates.all(), outcome.rule.label
            if outcome.rule.method in ("bfgs", "lm"):  # the others are still on their way
                for weights in outcome.weights:
                    distances = [np.abs(weights - minimum).max() for minimum in known]
                    assert min(distances) < 1e-3
    assert not any(o.separates.any() for o in _separated()[1].outcomes if o.rule.program == "unit")


def test_small_steps_from_near_zero_lead_to_the_minimum_that_separates() -> None:
    points = separation.FOUR
    data = {"X": points.places, "label": points.labels, "copies": points.copies}
    problem = symopt.load(separation.HERE / "unit.sym").bind(data)
    for start in 0.1 * np.random.default_rng(2).normal(size=(5, 3)):
        options = {"rate": 0.1}
        result = symopt.minimize(problem, "gradient-descent", start, max_iter=500, options=options)
        assert points.separated(result.x)


# ── digits ───────────────────────────────────────────────────────────────────────────────────────


def test_digits_of_other_people_are_read() -> None:
    two, ten = digits.measure(True)
    _, test = digits.images()
    for learned in two.learned:
        assert learned.tested > 0.985  # "not 2" for all is right for 90 %
    for learned in ten.learned:
        assert learned.tested > 0.93
        # Accuracy by NumPy from the weights alone.
        read = read_ten(learned.weights, test.X)
        assert learned.tested == np.mean(read == test.digit)


def test_images_to_learn_from_are_not_those_of_the_test() -> None:
    train, test = digits.images()
    assert (len(train.X), len(test.X)) == (3823, 1797)
    assert not {image.tobytes() for image in train.X} & {image.tobytes() for image in test.X}


# ── hand tracking ────────────────────────────────────────────────────────────────────────────────


@functools.cache
def _tracked() -> tracking.Findings:
    return tracking.measure(True)


def test_drawn_points_track_with_tens_of_times_fewer_than_all() -> None:
    found = {tracker.label: runs for tracker, runs in _tracked().runs.items()}
    drawn = [min(found[name], key=lambda run: run.error) for name in found if "a step" in name]
    for name in ("gradient descent, all points", "BFGS, all points"):
        for run in found[name]:
            for other in drawn:
                assert other.error < 2.5 < _tracked().motion
                assert run.points > 10 * other.points


def test_gauss_newton_with_all_points_is_the_most_accurate() -> None:
    found = _tracked().runs
    best = {tracker.label: min(run.error for run in runs) for tracker, runs in found.items()}
    full = best.pop("Levenberg-Marquardt, all points")
    assert full < min(best.values())
    # 2000 points with 1 mm of noise determine 26 unknowns to some √(26 / 6000) mm along the skin.
    assert full < 0.3


# ── the online network ───────────────────────────────────────────────────────────────────────────


def test_a_network_of_180_000_weights_learns_from_a_stream() -> None:
    found = online.measure(True)
    assert abs(found.weights - 180_000) < 500
    for one in found.learned:
        # Better than the mean (1), and than saying that nothing changes.
        assert one.tested < 0.4 < 1 < found.persistence
    sgd, smd = found.learned
    assert sgd.losses[0] == pytest.approx(smd.losses[0], rel=1e-12)
    assert smd.losses[-10:].mean() < sgd.losses[-10:].mean()


def test_the_flow_keeps_what_flow_keeps() -> None:
    # Without force, friction and viscosity two-dimensional flow keeps its mean square vorticity.
    flow = Flow(flows=2, force=0.0, viscosity=0.0, friction=0.0, wind=0.0, every=1, step=0.005)
    x = 2 * np.pi * np.arange(flow.size) / flow.size
    start = np.cos(x)[:, None] + np.cos(2 * x)[None, :] * np.sin(x)[:, None]
    fields = list(islice(flow.fields(np.random.default_rng(0), np.stack([start, 2 * start])), 40))
    assert np.abs(fields[-1] - fields[0]).max() > 0.05  # it does flow
    first, last = ((field**2).mean(axis=1) for field in (fields[0], fields[-1]))
    # Steps of second order, 0.005 long, for a time of 0.2; waves beyond a third stay empty.
    np.testing.assert_allclose(last, first, rtol=1e-5)


def test_the_wind_carries_the_flow_along() -> None:
    # One wave is a steady flow; a wind of 2 carries it by 0.2 in a time of 0.1.
    flow = Flow(flows=1, force=0.0, viscosity=0.0, friction=0.0, wind=2.0, every=1, step=0.01)
    x = 2 * np.pi * np.arange(flow.size) / flow.size
    start = np.tile(np.sin(3 * x)[:, None], (1, flow.size))[None]
    *_, last = islice(flow.fields(np.random.default_rng(0), start), 10)
    expected = np.tile(np.sin(3 * (x - 0.2))[:, None], (1, flow.size))
    np.testing.assert_allclose(last[0].reshape(expected.shape), expected, atol=1e-12)
