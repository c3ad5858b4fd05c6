"""GradBench's protocol: for every message, a line of JSON, a response of the same id."""

from __future__ import annotations

import json
import math
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Any

from tests.benchmarks.gradbench.modules import Json, Module
from tests.benchmarks.gradbench.registry import MODULES, reason

TOOL = "symopt"


def serve(lines: Iterable[str], write: Callable[[str], object]) -> None:
    """Answer messages until there are no more."""
    for line in lines:
        write(json.dumps(respond(json.loads(line))))


def respond(message: Json) -> Json:
    """The response to a message."""
    return {"id": message["id"], **_answer(message)}


def _answer(message: Json) -> dict[str, Any]:
    match message["kind"]:
        case "start":
            return {"tool": TOOL}
        case "define":
            name = message["module"]
            known = name in MODULES
            return {"success": True} if known else {"success": False, "error": reason(name)}
        case "evaluate":
            return _evaluated(message["module"], message["function"], message["input"])
        case _:
            return {}


def _evaluated(name: str, function: str, given: Json) -> dict[str, Any]:
    if name not in MODULES:
        return {"success": False, "error": reason(name)}
    if function not in MODULES[name].functions:
        return {"success": False, "error": f"module {name!r} has no function {function!r}"}
    try:
        output, timings = evaluate(MODULES[name], function, given)
    except Exception:  # whatever goes wrong with this input, the next may do
        return {"success": False, "error": traceback.format_exc()}
    if not _finite(output):
        return {"success": False, "error": "the result is not finite, which JSON cannot say"}
    return {"success": True, "output": output, "timings": timings}


def evaluate(module: Module, function: str, given: Json) -> tuple[Json, list[Json]]:
    """A function's output, and how long it took: `prepare` once, then `evaluate` for each run.

    Preparing is binding the data, with their checks, and a first call, which compiles.
    """
    asked = module.functions[function]
    runs = given if isinstance(given, dict) else {}
    start = time.perf_counter_ns()
    problem, p = module.bind(given)
    result = asked.call(problem, p)
    prepared = time.perf_counter_ns() - start
    taken: list[int] = []
    elapsed = 0
    while len(taken) < runs.get("min_runs", 1) or elapsed < runs.get("min_seconds", 0) * 1e9:
        start = time.perf_counter_ns()
        result = asked.call(problem, p)
        taken.append(time.perf_counter_ns() - start)
        elapsed += taken[-1]
    timings = [{"name": "evaluate", "nanoseconds": each} for each in taken]
    return asked.send(problem, result), [{"name": "prepare", "nanoseconds": prepared}, *timings]


def _finite(output: Json) -> bool:
    match output:
        case dict():
            return all(map(_finite, output.values()))
        case list():
            return all(map(_finite, output))
        case _:
            return math.isfinite(output)
