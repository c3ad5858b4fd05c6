"""An explanation for machines: the document of `symopt explain --json`.

A count is its formula and, where all sizes are known, its number.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from symopt.explain.counts import Operations
from symopt.explain.facts import (
    BufferFacts,
    Explanation,
    FunctionFacts,
    PassFacts,
    PhaseFacts,
    Sizes,
)
from symopt.explain.formula import Formula


def describe_explanation(explanation: Explanation) -> dict[str, object]:
    """All the facts."""
    fixed, sizes = explanation.fixed, explanation.sizes
    return {
        "program": explanation.program,
        "sizes": dict(fixed.sizes),
        "index_arrays": [name for name, _, _ in fixed.entries],
        "processor": asdict(explanation.cpu),
        "dtype": explanation.precision,
        "stable_forms": [
            {
                "place": str(r.span),
                "before": r.before,
                "after": r.after,
                "through": [str(span) for span in r.through],
            }
            for r in explanation.rewrites
        ],
        "seconds": explanation.seconds,
        "functions": [_function(function, sizes) for function in explanation.functions],
    }


def _function(function: FunctionFacts, sizes: Sizes) -> dict[str, object]:
    return {
        "name": function.name,
        "open_sizes": function.open_sizes,
        "operations": _operations(function.counts.total, sizes),
        "once": _operations(function.counts.once, sizes),
        "times_value": function.times_value(sizes),
        "nests": function.nests,
        "passes": [_pass(one, sizes) for one in function.passes],
        "indices": [{"loop": i.loop, "places": i.places} for i in function.indices],
        "hoisted": [
            {
                "place": str(h.span) if h.span else None,
                "tensor": h.tensor,
                "loops": list(map(str, h.loops)),
                "source": h.source,
                "source_loops": list(map(str, h.source_loops)),
            }
            for h in function.hoisted
        ],
        "buffers": [_buffer(buffer, sizes) for buffer in function.buffers],
        "workspace_bytes": _count(function.workspace, sizes),
        "seconds": function.seconds,
    }


def _pass(one: PassFacts, sizes: Sizes) -> dict[str, object]:
    return {
        "loop": one.loop,
        "lanes": one.lanes,
        "tile": one.tile,
        "operations": _operations(one.operations, sizes),
        "operations_of_a_sample": _operations(one.sample, sizes),
        "phases": [_phase(phase, sizes) for phase in one.phases],
    }


def _phase(phase: PhaseFacts, sizes: Sizes) -> dict[str, object]:
    return {
        "loops": phase.loops,
        "updates": phase.updates,
        "operations_of_a_sample": _operations(phase.operations, sizes),
        "rows": [asdict(moved) for moved in phase.moved],
        "sums_in_registers": _count(phase.sums_in_registers, sizes),
        "sums_in_lots": _count(phase.sums_in_lots, sizes),
        "sums_in_memory": _count(phase.sums_in_memory, sizes),
        "in_registers": phase.in_registers,
    }


def _buffer(buffer: BufferFacts, sizes: Sizes) -> dict[str, object]:
    return {
        "name": buffer.name,
        "shape": buffer.shape,
        "storage": buffer.storage,
        "kept": buffer.kept,
        "bytes": _count(buffer.bytes, sizes),
    }


def _operations(operations: Operations, sizes: Sizes) -> dict[str, Any]:
    kinds = {kind: _count(count, sizes) for kind, count in operations.kinds.items()}
    return {**_count(operations.total, sizes), "kinds": kinds}


def _count(formula: Formula, sizes: Sizes) -> dict[str, Any]:
    number = sizes.number(formula)
    if number is not None and number.is_integer():
        number = int(number)
    return {"formula": str(formula), "number": number}
