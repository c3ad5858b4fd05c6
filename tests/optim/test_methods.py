"""The method table and how names are found in it."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from symopt.diagnostics import DataError
from symopt.optim import METHODS, Needs, methods
from symopt.optim.methods import find_method, option_names

# The names that are a contract, in the order of the table.
NAMES = (
    "random-search simulated-annealing spsa nelder-mead evolution-strategy genetic ant-colony tabu "
    "coordinate-descent gradient-descent steepest-descent preconditioned-descent momentum nesterov "
    "cg-fletcher-reeves cg-polak-ribiere cg-hestenes-stiefel cg-dai-yuan cg-hager-zhang bfgs "
    "l-bfgs l-bfgs-b newton trust-region newton-krylov gauss-newton lm natural-gradient "
    "gradient-covariance rprop supersab delta-bar-delta silva-almeida quickprop sgd adagrad "
    "rmsprop adam adamw exponentiated-step alap smd gekf second-order-adam svrg perceptron "
    "auto"
)


def test_the_table():
    assert [method.name for method in methods()] == NAMES.split()
    with pytest.raises(FrozenInstanceError):
        METHODS[0].name = "other"


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_records(method):
    assert method.family
    assert method.source
    assert method.order in (0, 1, 2)
    assert (Needs.GRADIENT in method.needs) is (method.order > 0)
    assert method.describes(method.settings({}))
    assert [other.name for other in METHODS if other.describes(method.settings({}))] == [
        method.name
    ]


@pytest.mark.parametrize(
    ("scipys", "ours"),
    [
        ("Nelder-Mead", "nelder-mead"),
        ("CG", "cg-hestenes-stiefel"),
        ("BFGS", "bfgs"),
        ("L-BFGS-B", "l-bfgs-b"),
        ("Newton-CG", "newton-krylov"),
        ("trust-ncg", "trust-region"),
        ("trust-exact", "trust-region"),
        ("lm", "lm"),
    ],
)
def test_scipys_names(scipys, ours):
    assert find_method(scipys).name == ours


def test_names_and_aliases_are_unique():
    spellings = [name for method in METHODS for name in (method.name, *method.aliases)]
    assert len(spellings) == len(set(spellings))


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("bfgs", "bfgs"),
        ("BFGS", "bfgs"),
        ("lm", "lm"),
        ("LM", "lm"),
        ("Levenberg-Marquardt", "lm"),
        ("gradient_descent", "gradient-descent"),
        (" gd ", "gradient-descent"),
    ],
)
def test_spellings(spelling, name):
    assert find_method(spelling).name == name


@pytest.mark.parametrize(
    ("wrong", "suggestion"),
    [("bgfs", "bfgs"), ("gradient-decent", "gradient-descent"), ("levenberg", None)],
)
def test_unknown_names(wrong, suggestion):
    with pytest.raises(DataError, match=f"there is no method `{wrong}`") as caught:
        find_method(wrong)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "unknown-method"
    assert diagnostic.notes == (f"the methods are {', '.join(m.name for m in METHODS)}",)
    if suggestion:
        assert diagnostic.help == f"did you mean `{suggestion}`?"


def test_options_are_the_settings():
    assert option_names(find_method("lm").optimizer) == ("radius", "damping", "factor")
