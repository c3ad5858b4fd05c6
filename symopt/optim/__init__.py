"""Optimizers behind one small protocol, and the one driver that runs them."""

from symopt.optim.callables import Objective, objective
from symopt.optim.choosing import AUTO, methods
from symopt.optim.driver import Iterate
from symopt.optim.methods import METHODS
from symopt.optim.minimize import iterate, minimize
from symopt.optim.optimizer import Method, Optimizer, Status, Stopping
from symopt.optim.problem import Needs, Point, Problem, SeededStart
from symopt.optim.race import Entrant, race

__all__ = [
    "AUTO",
    "METHODS",
    "Entrant",
    "Iterate",
    "Method",
    "Needs",
    "Objective",
    "Optimizer",
    "Point",
    "Problem",
    "SeededStart",
    "Status",
    "Stopping",
    "iterate",
    "methods",
    "minimize",
    "objective",
    "race",
]
