"""Runs generated test files in this process, on a stand-in for the compiled module."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

import symopt
from symopt.conversion import vector
from symopt.derive.functions import FUNCTIONS
from symopt.problem import Problem
from symopt.statements.program import Program

STEM = "stand_in"


Change = Callable[[Any], Any]
# The statements of derivatives, which are the same for all data of a model.
_programs: WeakKeyDictionary[symopt.Model, dict[str, Program]] = WeakKeyDictionary()


class StandIn:
    """What a generated Python module offers, by a model itself.

    Functions are native, or else their statements are evaluated, which compiles nothing; some may
    be tampered with by a change of their results.
    """

    DataError = symopt.DataError

    def __init__(
        self,
        model: symopt.Model,
        dtype: str = "float64",
        *,
        native: bool = False,
        **tampering: Change,
    ) -> None:
        self.model, self.dtype, self.native, self.tampering = model, dtype, native, tampering
        self.programs = _programs.setdefault(model, {})

    def bind(self, given: Any) -> Any:
        problem = self.model.bind(given, dtype=self.dtype)
        return problem if self.native else Evaluated(problem, self.tampering, self.programs)


class Evaluated:
    """A problem whose functions are the statements of its derivatives, evaluated by NumPy."""

    def __init__(
        self, problem: Problem, tampering: dict[str, Change], programs: dict[str, Program]
    ) -> None:
        self._problem, self._tampering = problem, tampering
        self._oracle = replace(problem._oracle, _programs=programs)

    def __getattr__(self, name: str) -> Any:
        if name not in FUNCTIONS:
            return getattr(self._problem, name)
        return functools.partial(self._call, name)

    def _call(self, name: str, p: Any, v: Any = None, *, out: Any = None) -> Any:
        size = self._oracle.cut.size if name == "vjp" else self.n
        more = [] if v is None else [vector("v", v, size)]
        weights = (None,) if name == "vjp" else ()  # come after a direction
        found = self._results(name, vector("p", p, self.n), *weights, *more)
        change = self._tampering.get(name)
        found = found if change is None else change(found)
        if out is not None:
            parts = found if isinstance(found, tuple) else (found,)
            room = out if isinstance(out, tuple) else (out,)
            for part, array in zip([a for a in parts if np.ndim(a)], room, strict=True):
                array[...] = part
        return found

    def _results(self, name: str, *given: Any) -> Any:
        flat, n = self._oracle.function(name, *given), self.n
        match name:
            case "value":
                return float(flat[0])
            case "value_and_grad":
                return float(flat[0]), flat[1:]
            case "hess":
                return flat.reshape(n, n)
            case "jac":
                return flat.reshape(-1, n)
            case "residuals_and_jac":
                m = self._oracle.cut.size
                return flat[:m], flat[m:].reshape(m, n)
            case "gauss_newton":
                lower = flat[: n * n].reshape(n, n)
                return np.tril(lower) + np.tril(lower, -1).T, flat[n * n :]
            case _:
                return flat

    def eval(self, name: str, p: Any) -> Any:
        """A definition by name."""
        return self._oracle.run(self._oracle.task.program, self._oracle.given(p)).tensors[name]


def outcomes(text: str, module: Any) -> Iterator[tuple[str, str | None]]:
    """Every test of a file, as pytest would name it, and how it failed, if it did."""
    sys.modules[STEM] = module
    start, end = text.index("# The compiled loss, beside"), text.index("exec_module(module)")
    text = f"{text[:start]}import {STEM} as module{text[end + len('exec_module(module)') :]}"
    found: dict[str, Any] = {"__file__": __file__, "__name__": "generated"}
    try:
        exec(compile(text, f"test_{STEM}.py", "exec"), found)
    finally:
        del sys.modules[STEM]
    cases = [case for case in found["CASES"] if not case.marks]
    for name, test in found.items():
        if not name.startswith("test_"):
            continue
        wanted = inspect.signature(test).parameters
        chosen = cases if "case" in wanted else cases[:1] if "one" in wanted else [None]
        for case in chosen:
            for more in parameters(test):
                label = ", ".join([*([case.id] if case else []), *map(str, more.values())])
                yield f"{name}[{label}]", outcome(found, test, case, more)


def parameters(test: Any) -> list[dict[str, Any]]:
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    if not marks:
        return [{}]
    name, values = marks[0].args
    return [{name: value} for value in values]


def outcome(found: dict[str, Any], test: Any, case: Any, more: dict[str, Any]) -> str | None:
    with np.errstate(all="ignore"):
        try:
            given = [] if case is None else [found["made"](*case.values[0])]
            test(*given, **more)
        except Exception as error:  # what a test raises is what is to be looked at
            return f"{type(error).__name__}: {error}"
    return None
