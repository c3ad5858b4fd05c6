"""The checks of one program file, as a test run sees them: each passes, fails or is skipped."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from symopt.certify.draws import random_points
from symopt.certify.small import small_problem
from symopt.data_files import explain_missing, read_all, without_data
from symopt.diagnostics import Diagnostic, Kind, Label, SymoptError, render
from symopt.expectations import Judge, nonfinite_start
from symopt.model import Model
from symopt.syntax import tree
from symopt.syntax.parser import parse_what_can_be, read_source

if TYPE_CHECKING:
    from symopt.problem import Problem
    from symopt.source import Source
    from symopt.typed.program import Expectation, Finite

# Products tell all of a matrix, and take less time to compile than the matrices do.
FUNCTIONS = ("value", "value_and_grad", "grad", "hvp", "residuals", "jvp", "vjp")
_POINTS = 2
_WITHOUT_PROGRAM = frozenset({"missing-objective", "no-params"})


class Failed(Exception):
    """A check that fails, with all there is to say about it."""


class Skipped(Exception):
    """A check that cannot be made, with the reason."""


class ProgramChecks:
    """The checks of a file, which share what they need: each part is made when it is asked for.

    `name` is what diagnostics call the file.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name

    # ── the checks ───────────────────────────────────────────────────────────────────────────

    def parses(self) -> str:
        """The warnings of the program, as text; fails with its errors."""
        if isinstance(self.model, Model):
            return render(self.model.warnings)
        if self.model:
            raise Failed(render(self.model))
        return ""

    def derivatives(self, functions: tuple[str, ...] | None = FUNCTIONS) -> None:
        """Compiled derivatives beside independent ones, at several points near the start."""
        model, rng = self._sound, np.random.default_rng(0)
        given = self._given
        try:
            problem, data = small_problem(model, given, rng)
        except SymoptError as error:
            if not self.missing:
                raise Failed(render(error.diagnostics)) from None
            first = error.diagnostics[0].message
            raise Skipped(f"no random data fits this program ({first}); {self._wanted}") from None
        # The start itself is a special point for many programs.
        points = list(random_points(problem, rng, _POINTS + 1))[1:]
        if not points:
            why = problem.explain_nonfinite(problem.x0)
            message = f"with {data}, no point was found where everything is finite: {why}"
            if self.missing:
                raise Skipped(f"{message}; {self._wanted}")
            raise Failed(f"{self.name}: {message}")
        for k, point in enumerate(points):
            try:
                report = problem.check(point, functions=functions, seed=k)
            except SymoptError as error:  # of functions that there are not
                raise Failed(render(error.diagnostics)) from None
            if not report.ok:
                raise Failed(f"{self.name}: wrong derivatives, found with {data}\n{report}")

    def finite(self) -> None:
        """Value and gradient are finite at the start, with the data of the file."""
        if self.missing:
            raise Skipped(f"random data says nothing about the start: {self._wanted}")
        if open_dims := self._sound.open_dims:
            raise Skipped(f"the size of {', '.join(open_dims)} is not known")
        why = nonfinite_start(self._problem)
        if why is not None:
            raise Failed(f"{self.name}: the start is not finite: {why}")

    def expected(self, expectation: Expectation | Finite) -> None:
        """One `expect` line holds, with the data of the file."""
        if self.missing:
            message, fix = explain_missing(self._sound.stages.source, self.missing)
            label = Label(expectation.span)
            raise Failed(
                render([Diagnostic(Kind.DATA, "missing-data", message, (label,), help=fix)])
            )
        outcome = self._judge.outcome(expectation)
        if not outcome.ok:
            raise Failed(render([outcome.diagnostic]))

    # ── what they need ───────────────────────────────────────────────────────────────────────

    @cached_property
    def model(self) -> Model | tuple[Diagnostic, ...]:
        """The program, or its errors: none for a file that only has functions to import."""
        try:
            source = read_source(self.path, self.name)
        except SymoptError as error:
            return error.diagnostics
        except OSError as error:
            message = f"cannot read '{self.name}': {error.strerror or error}"
            return (Diagnostic(Kind.PARSE, "unreadable-file", message),)
        try:
            return Model(source)
        except SymoptError as error:
            if _is_library(source):
                return tuple(d for d in error.diagnostics if d.code not in _WITHOUT_PROGRAM)
            return error.diagnostics

    @property
    def _sound(self) -> Model:
        if not isinstance(self.model, Model):
            raise Skipped("this is no program that parses")
        return self.model

    @cached_property
    def _given(self) -> Mapping[str, Any]:
        """The data that lies with the program."""
        try:
            return read_all(self._sound.data, self._sound.stages.source, {})
        except SymoptError as error:
            raise Failed(render(error.diagnostics)) from None

    @property
    def missing(self) -> list[str]:
        """The data that the program needs and that does not lie with it."""
        return without_data(self._sound.data, self._given)

    @property
    def _wanted(self) -> str:
        """Which data is missing, and where to put it."""
        return "; ".join(explain_missing(self._sound.stages.source, self.missing))

    @cached_property
    def _problem(self) -> Problem:
        try:
            return self._sound.bind(self._given)
        except SymoptError as error:
            raise Failed(render(error.diagnostics)) from None

    @cached_property
    def _judge(self) -> Judge:
        return Judge(self._problem)


def _is_library(source: Source) -> bool:
    """Whether a file has functions to import and no part of a program."""
    file, _ = parse_what_can_be(source)
    kinds = {type(statement) for statement in file.statements}
    return tree.FunctionDefinition in kinds and kinds <= {tree.FunctionDefinition, tree.Import}
