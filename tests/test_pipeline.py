"""Random programs through the whole pipeline: native code, evaluator and complex step agree."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from symopt.diagnostics import SymoptError
from symopt.model import Model
from symopt.types import evaluate
from tests.support.agreement import assert_native_is_right, model_of
from tests.support.random_programs import Example, examples

REGRESSIONS = sorted((Path(__file__).parent / "programs" / "regressions").glob("*.sym"))


@settings(
    max_examples=20,
    database=None,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    examples(),
    st.sampled_from([1, 8]),
    st.fixed_dictionaries(
        {
            "recompute": st.sampled_from([6, 6, 0, 1]),
            "written_out": st.sampled_from([512, 0, 8]),
            "registers": st.sampled_from([24, 1, 3]),
        }
    ),
)
def test_random_programs(example: Example, lanes: int, choices: dict[str, int]) -> None:
    """A program is refused with a diagnostic, or everything about it is right."""
    try:
        problem = model_of(example.text, lanes, **choices).bind(example.data(), **example.sizes)
        assert_native_is_right(problem, *example.point(problem.n))
    except SymoptError as error:
        assert error.diagnostics, "an error without a diagnostic"


def _sizes(text: str) -> dict[str, int]:
    """The sizes that a program's `# sizes:` line asks for."""
    found = re.search(r"^# sizes: (.*)$", text, re.MULTILINE)
    pairs = (pair.split("=") for pair in found[1].split(", ")) if found else ()
    return {name: int(value) for name, value in pairs}


def _data(model: Model, sizes: dict[str, int], rng: np.random.Generator) -> dict[str, Any]:
    """Rounded normal numbers, with ties and zeros; indices below their size, offsets in order."""
    found: dict[str, Any] = {}
    for data in model.data.values():
        shape = tuple(max(int(evaluate(size, sizes, {}, {})), 0) for size in data.shape)
        if data.index_of is None:
            found[data.name] = np.round(2 * rng.normal(size=shape)) / 2
            continue
        below = max(int(evaluate(data.index_of, sizes, {}, {})), 1)
        entries = rng.integers(0, below, shape)
        found[data.name] = np.sort(entries) if data.name == "off" else entries
    return found


@pytest.mark.parametrize("lanes", [1, 8])
@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: path.stem)
def test_regressions(path: Path, lanes: int) -> None:
    """The smallest programs of mistakes that once were, at a random point and where all is 0."""
    text = path.read_text(encoding="utf-8")
    model, rng = model_of(text, lanes), np.random.default_rng(11)
    sizes = {name: 3 for name in model.dims} | {"n": 9} | _sizes(text)
    sizes |= {d.name: d.default for d in model.dims.values() if d.default is not None}
    problem = model.bind(_data(model, sizes, rng), **sizes)
    for point in (rng.normal(size=problem.n), np.zeros(problem.n)):
        assert_native_is_right(problem, point, rng.normal(size=problem.n))
