"""The pytest file that goes with compiled code: every function beside a loss in plain NumPy.

The file stands alone: NumPy, pytest, and the module of the compiled code beside it. Its oracle
comes from the value of the loss alone (`oracle.py`); first derivatives are complex steps of it, and
second ones differences of these.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from symopt.artifacts.generated import texts
from symopt.artifacts.generated.data import (
    ODD_SIZES,
    Batches,
    Found,
    Place,
    find_batches,
    find_data,
)
from symopt.artifacts.oracle.parts import copied, mentioned
from symopt.artifacts.oracle.source import is_robust, oracle_functions_of, quoted

if TYPE_CHECKING:
    from symopt.model import Model

# What each function is called with: a point, a direction, weights of the cut.
ARGUMENTS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "value",
            "grad",
            "value_and_grad",
            "hess",
            "residuals",
            "jac",
            "residuals_and_jac",
            "gauss_newton",
        ),
        "p",
    ),
    **{"hvp": "pv", "jvp": "pv", "gnvp": "pv", "vjp": "pu"},
}
_FISHER = {"fisher": "empirical", "fisher_covariance": "covariance", "fisher_model": "model"}
_OF_CUT = frozenset({"residuals", "jac", "residuals_and_jac", "jvp", "vjp", "gauss_newton", "gnvp"})


def test_source(
    model: Model, stem: str, functions: Sequence[str], sizes: Mapping[str, int], dtype: str
) -> str:
    """The text of `test_<stem>.py` for the compiled functions of a model.

    `sizes` are compiled in; all other dims are open. The same model gives the same text.
    """
    return _Writer(model, stem, tuple(functions), sizes, dtype == "float32").text()


@dataclass(frozen=True, slots=True)
class _Writer:
    """Puts a test file together."""

    model: Model
    stem: str
    functions: tuple[str, ...]
    sizes: Mapping[str, int]
    single: bool

    def text(self) -> str:
        """The whole file."""
        oracle, used = oracle_functions_of(self.model, self._definitions)
        case = f"{self._all_data()}\n\n\n{self._case()}"
        space = self._space(oracle, used, case)
        with np.errstate(all="ignore"):  # what is not finite is not taken
            found = find_data(self.model, self.sizes, self._sample, space)
            batches = find_batches(self.model, self._sample, found, space)
        blocks = [
            _title("the loss in plain NumPy"),
            oracle,
            _title("data and points"),
            f"{found.draw}\n\n\n{self._constants(found, batches)}",
            case,
            f"{self._cases(found)}\n\n\n{texts.FIXTURES}",
            _title("every function beside the oracle"),
            *self._tests(),
            _title("calls"),
            *self._calls(found, batches),
        ]
        body = "\n\n\n".join(blocks)
        pieces = copied(mentioned(body))
        text = "\n\n\n".join([body, _title("what all of this is written with"), pieces])
        always = ("importlib.util",)
        modules = (name for name in texts.MODULES if name in always or f"{name}." in text)
        imports = "\n".join(f"import {module}" for module in modules)
        return f"{self._head(imports)}\n\n{text}\n"

    @property
    def _has_objective(self) -> bool:
        return self.model.stages.task.objective is not None

    @property
    def _definitions(self) -> tuple[str, ...]:
        """The compiled definitions."""
        known = {*ARGUMENTS, *_FISHER}
        return tuple(name for name in self.functions if name not in known)

    @property
    def _sees_cut(self) -> bool:
        return bool(self.model.cut) and bool(_OF_CUT & {*self.functions})

    @property
    def _sees_curvature(self) -> bool:
        return self._sees_cut and bool({"gauss_newton", "gnvp"} & {*self.functions})

    @property
    def _sample(self) -> str | None:
        """The dim of samples, if it is open."""
        return next((n for n in self.model.stages.task.samples if n not in self.sizes), None)

    def _space(self, oracle: str, used: tuple[str, ...], case: str) -> dict[str, Any]:
        """The functions of the file, where the problem is the model's own: only bound."""
        precision = {"dtype": "float32"} if self.single else {}
        module = SimpleNamespace(bind=lambda given: self.model.bind(given, **precision))
        space: dict[str, Any] = {"module": module, "SINGLE": self.single}
        first = [texts.FIRST_VALUE] * self._has_objective + [texts.FIRST_CUT] * self._sees_cut
        second = [texts.SECOND_VALUE] * self._has_objective
        second += [texts.SECOND_CURVATURE] * self._sees_curvature
        text = "\n\n".join(
            [
                "import functools, math, threading",
                "import numpy as np",
                copied((*used, *texts.USES)),
                oracle,
                "WIDTH = 1e-3",
                case,
                f"def first(case):\n    return [{', '.join(first)}]",
                f"def second(case, width):\n    return [{', '.join(second)}]",
            ]
        )
        exec(compile(text, f"test_{self.stem}.py", "exec"), space)
        return space

    # ── parts of the file ────────────────────────────────────────────────────────────────────

    def _head(self, imports: str) -> str:
        listed = ", ".join(self.functions)
        source = self.model.name.replace("\\", "/").rpartition("/")[2]
        words = texts.WORDS.format(stem=self.stem, source=source, functions=listed)
        return texts.HEAD.format(stem=self.stem, words=textwrap.fill(words, 96), imports=imports)

    def _constants(self, found: Found, batches: Batches | None) -> str:
        lines = [
            f"SPREAD = {found.spread}  # how far points are from the start, relative to it",
            f"EVERY = {found.plan.every}  # so many parameters are looked at one by one",
            f"DIRECTIONS = {found.plan.directions}  # of more parameters, this many directions",
            f"WIDTH = {found.width}  # of central differences; half of it gives the same",
            f"FIRST = {found.first}  # tolerance of values and first derivatives",
            f"SECOND = {found.second}  # and of second ones, which are known by differences",
            f"DIFFERENCES = {max(1e-6, found.second)}  # of first derivatives by differences",
        ]
        if batches is not None:
            lines.append(f"SAMPLE = {quoted(self._sample or '')}")
            axes = ", ".join(f"{quoted(n)}: {places}" for n, places in batches.axes.items())
            lines.append(f"AXES = {{{axes}}}  # where samples are in the data")
        return "\n".join(lines)

    def _all_data(self) -> str:
        """The function that completes the data for the oracle."""
        more = ", rounded as compiled code does it" if self.single else ""
        more += ", and those that are left out" if self._has_defaults else ""
        result = "data | defaults(data)" if self._has_defaults else "data"
        single = texts.AS_SINGLE if self.single else ""
        return texts.ALL_DATA.format(more=more, single=single, result=result)

    def _case(self) -> str:
        """The class that knows a problem at a point."""
        text = texts.CASE
        if self._has_objective:
            text += texts.CASE_VALUE
        if self._sees_cut:
            text += texts.CASE_CUT
        if self._sees_curvature:
            if self.model.stages.task.squares:
                text += texts.CURVATURE_OF_SQUARES
            elif is_robust(self.model.stages):
                text += texts.CURVATURE_OF_ROBUST_LOSS
            else:
                text += texts.CURVATURE_OF_LOSS
            text += texts.CURVATURE
        return text.rstrip()

    @property
    def _has_defaults(self) -> bool:
        return any(data.default is not None for data in self.model.data.values())

    def _cases(self, found: Found) -> str:
        """The list of cases that every test runs over."""
        places = found.places or (Place("no data", 0, 0, found.reason),)
        return "\n".join(["CASES = [", *map(_case_line, places), "]"])

    def _tests(self) -> list[str]:
        chosen = [texts.TESTS[name] for name in self.functions if name in texts.TESTS]
        found = [text.format(**self._words()) for text in chosen]
        if self._definitions:
            found.append(texts.DEFINITIONS.format(names=", ".join(map(quoted, self._definitions))))
        kinds = [quoted(kind) for name, kind in _FISHER.items() if name in self.functions]
        if kinds:
            found.append(texts.FISHER.format(kinds=", ".join(kinds)))
        if {"hess", "hvp"} <= {*self.functions}:
            found.append(texts.HESS_AND_HVP)
        if {"gauss_newton", "gnvp"} <= {*self.functions}:
            found.append(texts.GAUSS_NEWTON_AND_GNVP)
        if "gauss_newton" in self.functions and self.model.stages.task.squares:
            found.append(texts.SEMIDEFINITE)
        return found

    def _words(self) -> dict[str, str]:
        """What tests of functions differ in."""
        differenced = "value" in self.functions and not self.single
        of_cut = "residuals" in self.functions and not self.single
        return {
            "value": "case.problem.value" if differenced else "case.value",
            "cut": "case.problem.residuals" if of_cut else "case.cut",
        }

    def _calls(self, found: Found, batches: Batches | None) -> list[str]:
        arguments = "".join(
            f"    {quoted(name)}: {quoted(ARGUMENTS[name])},\n"
            for name in self.functions
            if name in ARGUMENTS
        )
        blocks = [texts.RESULTS.format(arguments=arguments)]
        blocks += [texts.REPEATED, texts.THREADS, texts.ALIGNMENT]
        if batches is not None and "value" in self.functions:
            text = texts.BATCH_OF_MEAN if batches.mean else texts.BATCH_OF_SUM
            names = ", ".join(quoted(n) for n in ("value", "grad") if n in self.functions)
            count = ODD_SIZES[-1]
            seed = found.places[0].seed
            blocks.append(text.format(names=names, count=count, rest=count - 4, seed=seed))
        blocks.append(texts.WRONG_POINT)
        given = [data for data in self.model.data.values() if data.default is None]
        if given:
            blocks.append(texts.WRONG_DATA.format(name=quoted(given[0].name)))
        indexed = [data for data in given if data.index_of is not None]
        if indexed:
            blocks.append(texts.WRONG_INDEX.format(name=quoted(indexed[0].name)))
        return blocks


def _title(text: str) -> str:
    return f"# ── {text} ".ljust(95, "─")


def _case_line(place: Place) -> str:
    """A case of the list."""
    anywhere = f", True, {place.width}" if place.anywhere else ""
    case = f'({place.samples}, {place.seed}{anywhere}), id="{place.name}"'
    if not place.skip:
        return f"    pytest.param({case}),"
    reason = json.dumps(place.skip, ensure_ascii=False)
    lines = ("    pytest.param(", f"        {case},", f"        marks=pytest.mark.skip({reason}),")
    return "\n".join([*lines, "    ),"])
