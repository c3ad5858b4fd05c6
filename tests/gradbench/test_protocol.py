"""Exchanges of messages with the GradBench tool, as its evaluations send them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.gradbench import inputs
from tests.benchmarks.gradbench.protocol import respond, serve
from tests.benchmarks.gradbench.registry import UNSUPPORTED

ROOT = Path(__file__).parents[2]
Json = Any


def exchange(*messages: Json) -> list[Json]:
    """The responses to messages, which are numbered."""
    lines = [json.dumps({"id": i, **message}) for i, message in enumerate(messages)]
    written: list[str] = []
    serve(lines, written.append)
    return [json.loads(line) for line in written]


def evaluation(module: str, function: str, given: Json) -> Json:
    return {"kind": "evaluate", "module": module, "function": function, "input": given}


def test_a_session() -> None:
    start, define, square, analysis, double, after = exchange(
        {"kind": "start", "eval": "hello"},
        {"kind": "define", "module": "hello"},
        {**evaluation("hello", "square", 3.0), "description": "three"},
        {"kind": "analysis", "of": 2, "valid": True},
        evaluation("hello", "double", 9.0),
        {"kind": "analysis", "of": 4, "valid": False, "error": "for the sake of it"},
    )
    assert start == {"id": 0, "tool": "symopt"}
    assert define == {"id": 1, "success": True}
    timings = square.pop("timings")
    assert square == {"id": 2, "success": True, "output": 9.0}
    assert [timing["name"] for timing in timings] == ["prepare", "evaluate"]
    assert all(isinstance(timing["nanoseconds"], int) for timing in timings)
    assert (analysis, after) == ({"id": 3}, {"id": 5})
    assert double["output"] == 18.0


@pytest.mark.parametrize("name", [*UNSUPPORTED, "unheard-of"])
def test_a_module_that_is_not_supported_is_refused(name: str) -> None:
    define, evaluated = exchange(
        {"kind": "define", "module": name}, evaluation(name, "rr", {"start": [1.0, 1.0]})
    )
    assert not define["success"]
    assert define["error"].startswith("not supported: ")
    assert not evaluated["success"]


def test_a_function_that_a_module_lacks_is_refused() -> None:
    (response,) = exchange(evaluation("hello", "cube", 1.0))
    assert response["error"] == "module 'hello' has no function 'cube'"


def test_runs_are_as_many_and_as_long_as_asked() -> None:
    many = respond({"id": 0, **evaluation("lse", "primal", {"x": [1.0], "min_runs": 5})})
    runs = [t for t in many["timings"] if t["name"] == "evaluate"]
    assert len(runs) == 5
    asked = {"x": [1.0], "min_runs": 1, "min_seconds": 0.002}
    long = respond({"id": 0, **evaluation("lse", "primal", asked)})
    taken = [t["nanoseconds"] for t in long["timings"] if t["name"] == "evaluate"]
    assert sum(taken) >= 0.002e9
    assert sum(taken[:-1]) < 0.002e9


def test_a_bad_input_is_answered_and_the_next_one_too() -> None:
    bad = inputs.gmm(0, 3, 2, 2)
    bad["x"] = bad["x"][0]
    failed, worked = exchange(
        evaluation("gmm", "objective", bad), evaluation("hello", "square", 2.0)
    )
    assert not failed["success"]
    assert "DataError" in failed["error"]
    assert worked["output"] == 4.0


def test_what_json_cannot_say_is_a_failure() -> None:
    (response,) = exchange(evaluation("hello", "square", 1e200))
    assert not response["success"]


def test_as_a_program() -> None:
    messages = [
        {"id": 0, "kind": "start", "eval": "det"},
        {"id": 1, "kind": "define", "module": "det"},
        {"id": 2, **evaluation("det", "gradient", {"A": [1.0, 2.0, 3.0, 4.0], "ell": 2})},
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.gradbench"],
        input="".join(json.dumps(message) + "\n" for message in messages),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    responses = [json.loads(line) for line in done.stdout.splitlines()]
    assert [response["id"] for response in responses] == [0, 1, 2]
    assert responses[2]["output"] == [4.0, -3.0, -2.0, 1.0]
    assert done.stderr == ""
