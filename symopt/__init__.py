"""symopt: losses written as text, exact derivatives, native code, and one suite of optimizers."""

from __future__ import annotations

import gc
from importlib import import_module
from typing import TYPE_CHECKING, Any

from symopt.diagnostics import (
    CompileError,
    DataError,
    DerivativeUnavailable,
    NonFiniteError,
    ParseError,
    ShapeError,
    SymoptError,
)

if TYPE_CHECKING:
    from symopt.lambdified.lambdify import lambdify
    from symopt.model import Model, load, parse
    from symopt.optim import iterate, methods, minimize, objective, race
    from symopt.optim.discrete import minimize_discrete
    from symopt.problem import Problem

__version__ = "0.1.0"

# Imported when first used: they bring in SymPy, NumPy and LLVM.
_LAZY = {
    "lambdify": "symopt.lambdified.lambdify",
    "Model": "symopt.model",
    "load": "symopt.model",
    "parse": "symopt.model",
    "Problem": "symopt.problem",
    "iterate": "symopt.optim",
    "methods": "symopt.optim",
    "minimize": "symopt.optim",
    "minimize_discrete": "symopt.optim.discrete",
    "objective": "symopt.optim",
    "race": "symopt.optim",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(_imported(_LAZY[name]), name)
    raise AttributeError(f"module 'symopt' has no attribute {name!r}")


def _imported(module: str) -> Any:
    """The module, imported with the garbage collector at rest.

    SymPy makes a great many objects that all stay; looking through them again and again for garbage
    is a good part of the time its import takes.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        return import_module(module)
    finally:
        if enabled:
            gc.enable()


def __dir__() -> list[str]:
    return sorted(__all__)


__all__ = [
    "CompileError",
    "DataError",
    "DerivativeUnavailable",
    "Model",
    "NonFiniteError",
    "ParseError",
    "Problem",
    "ShapeError",
    "SymoptError",
    "iterate",
    "lambdify",
    "load",
    "methods",
    "minimize",
    "minimize_discrete",
    "objective",
    "parse",
    "race",
]
