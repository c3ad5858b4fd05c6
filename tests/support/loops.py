"""From program text to statements and kernels, for the tests of the loops."""

from __future__ import annotations

from symopt.compiler import analyse
from symopt.derive.functions import FUNCTIONS, derive, evaluation
from symopt.loops.options import Options
from symopt.loops.program import Kernel, Pass, Update
from symopt.loops.schedule import schedule
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


def passes(kernel: Kernel) -> list[Pass]:
    """The passes over samples, in order."""
    return [node for node in kernel.nodes if isinstance(node, Pass)]


def targets(node: Pass) -> list[str]:
    """What the updates of a pass write, in order."""
    return [part.target for part in node.body if isinstance(part, Update)]
