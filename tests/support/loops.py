"""From program text to statements and kernels, for the tests of the loops."""

from __future__ import annotations

from typing import Any

from symopt.compiler import Request, analyse, lower
from symopt.derive.functions import FUNCTIONS, derive, evaluation
from symopt.loops.options import Options
from symopt.loops.program import Kernel, Pass, Update
from symopt.loops.schedule import schedule
from symopt.loops.sizes import fixed_by
from symopt.loops.verify import verify
from symopt.source import Source
from symopt.statements.program import Program


def statements_of(text: str, function: str = "value") -> Program:
    """The statements of a derivative, or of a definition."""
    task = analyse(Source("<test>", text)).task
    return derive(task, function) if function in FUNCTIONS else evaluation(task, function)


def kernel_of(text: str, function: str = "value", lanes: int = 8) -> Kernel:
    """The kernel of a derivative, or of a definition, verified."""
    stages = analyse(Source("<test>", text))
    derived = statements_of(text, function)
    return verify(schedule(derived, function, Options(lanes, stages.program.sample)))


def kernel_for(
    text: str,
    sizes: dict[str, int],
    function: str = "value_and_grad",
    arrays: dict[str, Any] | None = None,
    **choices: int,
) -> Kernel:
    """The kernel that a problem with these sizes and index arrays compiles, verified."""
    stages = analyse(Source("<test>", text))
    options = Options(sample=stages.program.sample, **choices)
    fixed = fixed_by(stages.task.program, options.sample, sizes, arrays or {})
    return verify(lower(stages, Request(function, None, fixed), options).kernel)


def pass_over(kernel: Kernel, size: str) -> Pass:
    """The only pass over samples of this number."""
    (found,) = (node for node in passes(kernel) if str(node.loop.upper) == size)
    return found


def passes(kernel: Kernel) -> list[Pass]:
    """The passes over samples, in order."""
    return [node for node in kernel.nodes if isinstance(node, Pass)]


def targets(node: Pass) -> list[str]:
    """What the updates of a pass write, in order."""
    return [part.target for part in node.body if isinstance(part, Update)]
