"""Batches, streams and validation data."""

from __future__ import annotations

import numpy as np
import pytest

import symopt
from symopt.diagnostics import DataError
from symopt.optim import Status, iterate, minimize, objective

LINE = """
sample n
data x[n], y[n]
param a init 0
param b init 0
E = mean((a*x + b - y)^2)
minimize E
"""


@pytest.fixture(scope="module")
def model():
    return symopt.parse(LINE)


def points(count, seed=0, a=2.0, b=-1.0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, count)
    return {"x": x, "y": a * x + b}


def test_batches_visit_every_sample_once_a_pass(model):
    data = points(100)
    problem = model.bind(data)
    run = iterate(problem, "sgd", batch_size=30, options={"rate": 0.0001}, max_iter=7, seed=3)
    seen = [state.fun for state in run]
    # With weights that hardly move the losses of a pass average to that of all samples.
    sizes = np.array([30, 30, 30, 10])
    assert np.dot(sizes, seen[:4]) / 100 == pytest.approx(problem.value(problem.x0), rel=1e-2)
    assert len(set(seen[:4])) == 4


def test_the_order_follows_from_the_seed(model):
    problem = model.bind(points(100))

    def end(seed):
        return minimize(problem, "sgd", batch_size=10, max_iter=25, seed=seed).x

    np.testing.assert_array_equal(end(1), end(1))
    assert not np.array_equal(end(1), end(2))


def test_batch_size_is_also_an_option(model):
    problem = model.bind(points(64))
    as_option = minimize(problem, "sgd", max_iter=10, options={"batch_size": 8})
    as_argument = minimize(problem, "sgd", max_iter=10, batch_size=8)
    np.testing.assert_array_equal(as_option.x, as_argument.x)


def test_the_result_is_of_all_samples(model):
    problem = model.bind(points(100))
    result = minimize(problem, "sgd", batch_size=10, max_iter=30)
    assert result.fun == problem.value(result.x)
    np.testing.assert_array_equal(result.grad, problem.grad(result.x))


def test_fixed_and_bounded_parameters_hold_in_batches(model):
    problem = model.bind(points(100))
    result = minimize(problem, "sgd", batch_size=10, max_iter=30, fixed="b")
    assert result.params["b"] == 0


@pytest.mark.parametrize("size", [0, -1, 2.5, "many", True])
def test_wrong_batch_sizes(model, size):
    with pytest.raises(DataError, match="`batch_size` must be a positive whole number"):
        minimize(model.bind(points(10)), "sgd", batch_size=size)


def test_batches_of_a_whole_are_refused():
    coupled = symopt.parse(
        "data x[n]\nparam a init 0\nminimize sum((x - a)[i]*(x - a)[n - 1 - i] for i)"
    )
    with pytest.raises(DataError):
        minimize(coupled.bind(x=np.ones(5)), "sgd", batch_size=2)


def test_a_stream_is_used_up(model):
    batches = [points(8, seed) for seed in range(300)]
    problem = model.bind(batches[0])
    result = minimize(problem, "sgd", stream=iter(batches), options={"rate": 0.3})
    assert (result.nit, result.status) == (300, Status.EXHAUSTED.code)
    np.testing.assert_allclose(result.x, [2, -1], atol=1e-6)
    assert result.fun == pytest.approx(0, abs=1e-10)


def test_each_batch_of_a_stream_makes_a_step(model):
    """w ← w − η ∇f(w) on one batch after another, the last one included."""
    batches = [points(8, seed) for seed in range(5)]
    weights = np.zeros(2)
    for batch in batches:
        errors = weights[0] * batch["x"] + weights[1] - batch["y"]
        weights = weights - 0.3 * 2 * np.array([np.mean(errors * batch["x"]), np.mean(errors)])
    seen = list(iterate(model.bind(batches[0]), "sgd", stream=batches, options={"rate": 0.3}))
    assert [state.iteration for state in seen] == [0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(seen[-1].x, weights, rtol=1e-14)  # another order of sums
    assert seen[-1].status is Status.EXHAUSTED


def test_a_stream_that_breaks_ends_the_run_at_the_point_reached(model):
    def breaking():
        yield from [points(4), points(4)]
        raise OSError("connection lost")

    result = minimize(model.bind(points(4)), "sgd", stream=breaking())
    assert (result.nit, result.status) == (1, Status.RAISED.code)
    assert "batch 2 of the stream: OSError: connection lost" in result.message


def test_batches_of_a_stream_may_have_any_size(model):
    batches = (points(size, size) for size in (1, 7, 64, 3) * 60)
    result = minimize(model.bind(points(2)), "adam", stream=batches, options={"rate": 0.1})
    np.testing.assert_allclose(result.x, [2, -1], atol=1e-2)


def test_an_endless_stream_ends_by_the_limits(model):
    def forever():
        seed = 0
        while True:
            yield points(4, seed)
            seed += 1

    result = minimize(model.bind(points(4)), "sgd", stream=forever(), max_iter=50)
    assert (result.nit, result.status) == (50, Status.MAX_ITER.code)


def test_a_bad_batch_ends_the_run_at_the_point_reached(model):
    batches = [points(4), points(4), {"x": np.ones(4), "y": np.ones(3)}]
    result = minimize(model.bind(points(4)), "sgd", stream=batches)
    assert result.status == Status.RAISED.code
    assert "batch 2 of the stream" in result.message
    assert result.nit == 1


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        ([], "it ended before the first batch"),
        ({"x": [1.0]}, "a stream is an iterable of mappings"),
        ([np.ones(3)], "data are given by a mapping"),
        (5, "a stream is an iterable of mappings"),
    ],
)
def test_wrong_streams(model, stream, words):
    with pytest.raises(DataError, match=words):
        minimize(model.bind(points(4)), "sgd", stream=stream)


def test_streams_have_their_own_batches(model):
    with pytest.raises(DataError, match="left out: a stream has its own"):
        minimize(model.bind(points(4)), "sgd", stream=[points(4)], batch_size=2)


def test_plain_functions_have_no_other_data():
    with pytest.raises(DataError, match="cannot be had on other data"):
        minimize(objective(lambda x: 0.0, grad=abs), "sgd", x0=[1.0], stream=[{"x": [1.0]}])


def test_validation_is_traced_after_each_pass(model):
    problem, held_out = model.bind(points(40)), points(10, seed=9)
    result = minimize(problem, "sgd", batch_size=10, max_iter=12, validation=held_out)
    column = result.trace["validation"]
    measured = np.flatnonzero(np.isfinite(column))
    np.testing.assert_array_equal(measured, [3, 7, 11])
    assert column[11] < column[3]


def test_validation_of_the_whole_objective_is_traced_at_each_step(model):
    problem, held_out = model.bind(points(40)), points(10, seed=9)
    result = minimize(problem, "bfgs", validation=held_out)
    assert np.isfinite(result.trace["validation"]).all()
    assert result.trace["validation"][-1] == model.bind(held_out).value(result.x)


def test_validation_drives_a_plateau(model):
    """The loss of this validation data only grows: each 3 passes the rate falls to a tenth."""
    problem = model.bind(points(40))
    against = points(10, seed=9, a=-2.0, b=1.0)
    states = list(
        iterate(
            problem,
            "sgd",
            batch_size=40,
            max_iter=20,
            validation=against,
            options={"rate": 0.01, "schedule": symopt.optim.schedules.Plateau(patience=3)},
        )
    )
    steps = np.array([state.step for state in states[1:]])
    assert steps[15] < 2e-4 * steps[0]


def test_methods_for_batches_take_32_samples_by_default(model):
    problem = model.bind(points(320))
    assert np.isnan(
        minimize(problem, "sgd", max_iter=9, validation=points(5)).trace["validation"][:9]
    ).all()


def test_line_searches_may_be_run_on_batches(model):
    """They believe that values compare; the run must end all the same."""
    problem = model.bind(points(100))
    result = minimize(problem, "bfgs", batch_size=5, max_iter=50)
    assert result.fun == problem.value(result.x)
