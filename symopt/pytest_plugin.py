"""pytest on `.sym` files: each is a collector, its checks and its `expect` lines are items.

pytest loads this in every run where symopt is installed, so it imports nothing until there is a
`.sym` file to collect.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from symopt.program_checks import ProgramChecks

_FUNCTIONS = "symopt_functions"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        _FUNCTIONS,
        "which functions of .sym files are checked, such as `grad hess`, or `all`; default: value, "
        "gradient, residuals, and products with Hessian and Jacobian",
        type="args",
        default=[],
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A `.sym` file, alone or in a folder."""
    if file_path.suffix != ".sym":
        return None
    return ProgramFile.from_parent(parent, path=file_path)


class ProgramFile(pytest.File):
    """A program, whose checks are its items."""

    def collect(self) -> Iterator[pytest.Item]:
        from symopt.model import Model
        from symopt.program_checks import ProgramChecks

        checks = ProgramChecks(self.path, _shown(self.path, self.config))
        yield self._item("parses", lambda item: _parses(item, checks))
        model = checks.model
        if not isinstance(model, Model):
            return
        yield self._item("derivatives", lambda item: checks.derivatives(*_wanted(self.config)))
        yield self._item("finite", lambda item: checks.finite())
        seen = Counter(expectation.text for expectation in model.expectations)
        for expectation in model.expectations:
            line = expectation.span.line
            name = expectation.text
            if seen[name] > 1:
                name = f"{name} (line {line})"
            yield self._item(name, lambda item, one=expectation: checks.expected(one), line)

    def _item(self, name: str, check: Callable[[Check], None], line: int = 1) -> Check:
        return Check.from_parent(self, name=name, check=check, line=line)


class Check(pytest.Item):
    """One check of a program."""

    def __init__(self, *, check: Callable[[Check], None], line: int, **given: Any) -> None:
        super().__init__(**given)
        self._check, self._line = check, line

    def runtest(self) -> None:
        from symopt.program_checks import Skipped

        try:
            self._check(self)
        except Skipped as reason:
            # By the place in the file, not by this line.
            raise pytest.skip.Exception(str(reason), _use_item_location=True) from None

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What is wrong, where, and what to do; a traceback only where that is our fault."""
        from symopt.program_checks import Failed

        if isinstance(excinfo.value, Failed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        return self.path, self._line - 1, f"{self.path.name}: {self.name}"


def _parses(item: Check, checks: ProgramChecks) -> None:
    warnings = checks.parses()
    if warnings:
        item.add_report_section("call", "warnings", warnings)


def _wanted(config: pytest.Config) -> tuple[tuple[str, ...] | None, ...]:
    """The functions that the settings of the run name, as an argument."""
    names = tuple(name.strip(",") for name in config.getini(_FUNCTIONS))
    if not names:
        return ()
    return (None,) if names == ("all",) else (names,)


def _shown(path: Path, config: pytest.Config) -> str:
    """The path as people would write it."""
    short = os.path.relpath(path, config.invocation_params.dir)
    return str(path) if short.startswith("..") else short
