"""The method table and how names are found in it."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from symopt.diagnostics import DataError
from symopt.optim import METHODS, Needs, methods, objective
from symopt.optim.methods import default_method, find_method, option_names


def test_the_table():
    assert methods() is METHODS
    assert [method.name for method in METHODS] == ["gradient-descent", "bfgs", "lm"]
    for method in METHODS:
        assert method.family
        assert method.source
        assert method.order == 1
        assert Needs.VALUE in method.needs
        assert (method.stochastic, method.bounds) == (False, True)
    with pytest.raises(FrozenInstanceError):
        METHODS[0].name = "other"


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
    assert diagnostic.notes == ("the methods are gradient-descent, bfgs, lm",)
    if suggestion:
        assert diagnostic.help == f"did you mean `{suggestion}`?"


def test_defaults():
    assert default_method(objective(residuals=abs, jac=abs).sized(1)).name == "lm"
    assert default_method(objective(abs, gauss_newton=abs).sized(1)).name == "lm"
    assert default_method(objective(abs, grad=abs).sized(1)).name == "bfgs"
    maximized = objective(residuals=abs, jac=abs, maximize=True)
    assert default_method(maximized.sized(1)).name == "bfgs"


def test_options_are_the_settings():
    assert option_names(find_method("lm").optimizer) == ("damping", "factor")
