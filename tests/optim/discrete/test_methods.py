"""One step of each discrete method against its rule, by the same draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim.chance import Chance
from symopt.optim.discrete.genetic import DiscreteGenetic
from symopt.optim.discrete.method import DiscreteProblem
from symopt.optim.discrete.neighbourhoods import Flip, Flips, Swap, Swaps
from symopt.optim.discrete.simulated_annealing import DiscreteAnnealing
from symopt.optim.discrete.tabu import DiscreteTabu
from tests.optim.discrete.instances import ASSIGNMENT


def test_a_sweep_of_annealing_is_metropolis():
    problem, settings = DiscreteProblem(ASSIGNMENT, Swaps()), DiscreteAnnealing(trials=3)
    state = settings.init(problem, np.arange(7), seed=2)
    after = settings.step(problem, state)
    generator, temperature = Chance(2, 1).generator(), state.cooling.first
    order, lowest, refused = np.arange(7), ASSIGNMENT(np.arange(7)), 0
    for draw in generator.uniform(size=21):
        move = Swaps().propose(order, generator)
        other = Swaps().apply(order, move)
        change = ASSIGNMENT(other) - ASSIGNMENT(order)
        if change <= 0 or draw < np.exp(-change / temperature):
            order = other
            lowest = min(lowest, ASSIGNMENT(order))
        else:
            refused += 1
    assert 0 < refused < 21
    assert after.current.state.tolist() == order.tolist()
    assert after.best.cost == pytest.approx(lowest)
    assert after.cooling.temperature == pytest.approx(0.95 * temperature)


def test_a_step_of_tabu_is_the_best_allowed_move():
    problem, settings = DiscreteProblem(ASSIGNMENT, Swaps()), DiscreteTabu(length=3)
    state = settings.init(problem, np.arange(7))
    start = ASSIGNMENT(np.arange(7))
    ranked = sorted(
        (ASSIGNMENT(Swaps().apply(np.arange(7), m)) - start, m.first, m.second)
        for m in Swaps().moves(np.arange(7))
    )
    assert ranked[0][0] < ranked[1][0] < ranked[2][0], "no ties"
    best, second = (Swap(first, last) for _, first, last in ranked[:2])
    assert settings.step(problem, state).tabu.entries == (best,)
    # Tabu, and no better than the best state so far: then the next one.
    elsewhere = replace(
        state, tabu=state.tabu.adding(best), best=replace(state.best, cost=start + ranked[0][0])
    )
    after = settings.step(problem, elsewhere)
    assert after.tabu.entries == (best, second)
    assert after.current.cost == pytest.approx(start + ranked[1][0])
    # Tabu, but better than all before: aspiration.
    assert settings.step(problem, replace(state, tabu=state.tabu.adding(best))).tabu.entries == (
        best,
        best,
    )


def test_tabu_climbs_out_of_a_local_minimum():
    """0 has the cost 0, 11 the cost -1, what is between 1: two steps, the first uphill."""

    def cost(bits):
        return {0: 0.0, 1: 1.0, 2: -1.0}[int(np.sum(bits))]

    problem, settings = DiscreteProblem(cost, Flips()), DiscreteTabu()
    state = settings.init(problem, np.zeros(2, bool))
    state = settings.step(problem, state)
    assert state.current.cost == 1.0
    state = settings.step(problem, state)
    assert state.best.cost == -1.0
    assert {*state.tabu.entries} <= {Flip(0), Flip(1)}


def test_a_generation_keeps_the_best_of_parents_and_children():
    problem = DiscreteProblem(ASSIGNMENT, Swaps())
    settings = DiscreteGenetic(population=8, mutation=0.4)
    state = settings.init(problem, np.arange(7), seed=5)
    after = settings.step(problem, state)
    generator, old = Chance(5, 1).generator(), state.pool.places
    mates = generator.integers(len(old), size=(16, 2)).min(axis=1)
    everyone = {tuple(place) for place in old.tolist()}
    for first, second in mates.reshape(8, 2):
        child = Swaps().crossed(old[first], old[second], generator)
        while generator.uniform() < 0.4:
            child = Swaps().apply(child, Swaps().propose(child, generator))
        everyone.add(tuple(child.tolist()))
    costs = sorted(ASSIGNMENT(np.array(each)) for each in everyone)[:8]
    np.testing.assert_allclose(after.pool.values, costs, rtol=1e-13)
    assert len({tuple(place) for place in after.pool.places.tolist()}) == 8


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        (DiscreteAnnealing, {"trials": 0}),
        (DiscreteAnnealing, {"factor": 1.0}),
        (DiscreteTabu, {"length": 0}),
        (DiscreteTabu, {"restarts": -1}),
        (DiscreteGenetic, {"population": 1}),
        (DiscreteGenetic, {"mutation": 1.0}),
    ],
)
def test_bad_options(settings, options):
    with pytest.raises(DataError, match=next(iter(options))):
        settings(**options)
