"""ACO_R against Socha and Dorigo's equations."""

from __future__ import annotations

import numpy as np
import pytest

from symopt.diagnostics import DataError
from symopt.optim import objective
from symopt.optim.chance import Chance
from symopt.optim.derivative_free.ant_colony import AntColony
from tests.optim.derivative_free.valleys import banana

K, Q, XI, ANTS = 6, 0.2, 0.85, 3


def test_one_step_is_the_formula():
    settings = AntColony(archive=K, ants=ANTS, locality=Q, evaporation=XI)
    problem = objective(banana).sized(2)
    state = settings.step(problem, settings.init(problem, np.array([-1.0, 1.0]), seed=8))
    after = settings.step(problem, state)

    # Eq. 2, with ranks from 1.
    omega = [
        np.exp(-((rank - 1) ** 2) / (2 * Q**2 * K**2)) / (Q * K * np.sqrt(2 * np.pi))
        for rank in range(1, K + 1)
    ]
    generator, old = Chance(8, 1).generator(), state.archive.places
    chosen = generator.choice(K, size=ANTS, p=np.array(omega) / sum(omega))
    draws = generator.normal(size=(ANTS, 2))
    candidates = [tuple(place) for place in old]
    for ant in range(ANTS):
        mean = old[chosen[ant]]
        deviation = XI * sum(np.abs(old[e] - mean) for e in range(K)) / (K - 1)  # eq. 3
        candidates.append(tuple(mean + deviation * draws[ant]))
    survivors = sorted(candidates, key=lambda x: banana(np.array(x)))[:K]
    np.testing.assert_allclose(after.archive.places, survivors, rtol=1e-13)


def test_the_archive_is_ranked_and_never_worse():
    problem, settings = objective(banana).sized(2), AntColony()
    state = settings.step(problem, settings.init(problem, np.array([-1.0, 1.0])))
    for _ in range(20):
        after = settings.step(problem, state)
        assert (np.diff(after.archive.values) >= 0).all()
        assert (after.archive.values <= state.archive.values).all()
        state = after


def test_bad_options():
    for options in ({"archive": 1}, {"ants": 0}, {"locality": 0.0}, {"evaporation": 0.0}):
        with pytest.raises(DataError, match=next(iter(options))):
            AntColony(**options)
