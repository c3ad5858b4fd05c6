"""The method table: every method once, and how its name is found."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from symopt.optim import errors
from symopt.optim.adaptive import (
    delta_bar_delta,
    quickprop,
    rprop,
    silva_almeida,
    supersab,
)
from symopt.optim.derivative_free import (
    ant_colony,
    evolution_strategy,
    genetic,
    nelder_mead,
    random_search,
    simulated_annealing,
    spsa,
    tabu,
)
from symopt.optim.first_order import (
    bfgs,
    conjugate_gradients,
    coordinate_descent,
    gradient_descent,
    l_bfgs,
    l_bfgs_b,
    momentum,
    nesterov,
    preconditioned_descent,
    steepest_descent,
)
from symopt.optim.least_squares import gauss_newton, levenberg_marquardt
from symopt.optim.optimizer import Method, Optimizer
from symopt.optim.second_order import (
    gradient_covariance,
    natural_gradient,
    newton,
    newton_krylov,
    trust_region,
)
from symopt.optim.stochastic import (
    adagrad,
    adam,
    adamw,
    alap,
    exponentiated_step,
    gekf,
    perceptron,
    rmsprop,
    second_order_adam,
    sgd,
    smd,
    svrg,
)

METHODS: tuple[Method, ...] = (
    random_search.METHOD,
    simulated_annealing.METHOD,
    spsa.METHOD,
    nelder_mead.METHOD,
    evolution_strategy.METHOD,
    genetic.METHOD,
    ant_colony.METHOD,
    tabu.METHOD,
    coordinate_descent.METHOD,
    gradient_descent.METHOD,
    steepest_descent.METHOD,
    preconditioned_descent.METHOD,
    momentum.METHOD,
    nesterov.METHOD,
    *conjugate_gradients.METHODS,
    bfgs.METHOD,
    l_bfgs.METHOD,
    l_bfgs_b.METHOD,
    newton.METHOD,
    trust_region.METHOD,
    newton_krylov.METHOD,
    gauss_newton.METHOD,
    levenberg_marquardt.METHOD,
    natural_gradient.METHOD,
    gradient_covariance.METHOD,
    rprop.METHOD,
    supersab.METHOD,
    delta_bar_delta.METHOD,
    silva_almeida.METHOD,
    quickprop.METHOD,
    sgd.METHOD,
    adagrad.METHOD,
    rmsprop.METHOD,
    adam.METHOD,
    adamw.METHOD,
    exponentiated_step.METHOD,
    alap.METHOD,
    smd.METHOD,
    gekf.METHOD,
    second_order_adam.METHOD,
    svrg.METHOD,
    perceptron.METHOD,
)


def find_method(name: str) -> Method:
    """The method of that name or alias; case and `_` for `-` do not matter."""
    spellings = {spelling: method for method in METHODS for spelling in _spellings(method)}
    for method in METHODS:
        for variant, preset in method.variants:
            spellings[variant.lower()] = replace(method, preset=preset)
    wanted = name.strip().lower().replace("_", "-")
    if wanted not in spellings:
        raise errors.unknown_method(name, [method.name for method in METHODS], list(spellings))
    return spellings[wanted]


def option_names(optimizer: type[Optimizer[Any]]) -> tuple[str, ...]:
    """The options of a method: the fields of its settings."""
    return tuple(field.name for field in fields(optimizer))


def _spellings(method: Method) -> tuple[str, ...]:
    return tuple(spelling.lower() for spelling in (method.name, *method.aliases))
