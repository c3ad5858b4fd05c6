"""What is known by name: the modules, and why others are not supported."""

from __future__ import annotations

from collections.abc import Mapping

from tests.benchmarks.gradbench.adbench import BA, GMM, HT, LSTM
from tests.benchmarks.gradbench.elementary import DET, HELLO, KMEANS, LLSQ, LSE, ODE
from tests.benchmarks.gradbench.modules import Module

MODULES: Mapping[str, Module] = {
    "hello": HELLO,
    "lse": LSE,
    "llsq": LLSQ,
    "det": DET,
    "ode": ODE,
    "kmeans": KMEANS,
    "gmm": GMM,
    "ba": BA,
    "ht": HT,
    "lstm": LSTM,
}

_NESTED = "a program can have no derivative inside it, and no loop whose end depends on values"
UNSUPPORTED: Mapping[str, str] = {"saddle": _NESTED, "particle": _NESTED}


def reason(name: str) -> str:
    """Why a module is not supported."""
    return f"not supported: {UNSUPPORTED.get(name, f'there is no module {name!r} here')}"
