"""The whole pipeline on one page: text, tree, program, statements, derivatives, loops, code."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from symopt.derive.functions import FUNCTIONS, Task, derive, evaluation, last_marked
from symopt.diagnostics import Diagnostic
from symopt.loops.program import Kernel
from symopt.loops.schedule import Options, schedule
from symopt.native.emit import emit_module
from symopt.native.jit import Library, compile_ir, has_fma
from symopt.source import Source
from symopt.statements import program as statements
from symopt.statements.build import build_statements
from symopt.syntax import tree
from symopt.syntax.parser import parse_what_can_be
from symopt.typed import program as typed
from symopt.typed.checker import check


@dataclass(frozen=True, slots=True)
class Stages:
    """Every product of the compiler for one source, up to the loss as statements."""

    source: Source
    file: tree.File
    program: typed.Program
    warnings: tuple[Diagnostic, ...]
    setup: statements.Program
    task: Task


def analyse(source: Source) -> Stages:
    """From text to statements; raises all mistakes of the first stage that finds any."""
    file, mistakes = parse_what_can_be(source)
    program, warnings = check(file, mistakes)
    setup = build_statements(program, program.setup)
    whole = build_statements(program, program.definitions)
    marked = program.marked("model", "residual")
    objective = program.objective
    cut = last_marked(whole, marked, objective) if objective else marked
    task = Task(whole, objective, cut, tuple(program.params))
    return Stages(source, file, program, warnings, setup, task)


@dataclass(frozen=True, slots=True)
class Compiled:
    """One function of a loss with all that led to it."""

    statements: statements.Program
    kernel: Kernel
    ir: str
    library: Library = field(repr=False)


def lower(
    stages: Stages, name: str, options: Options, of: str | None = None
) -> tuple[statements.Program, Kernel, str]:
    """Statements, loops and IR of a function (`grad`, `hvp`, ...) or of a definition's value.

    `of` names a definition that takes the place of the cut: `jac` of it, `jvp`, `vjp`.
    """
    task = stages.task if of is None else replace(stages.task, cut=(of,))
    if name in FUNCTIONS:
        derived, symbol = derive(task, name), f"symopt_{name}"
    else:
        derived, symbol = evaluation(task, name), "symopt_eval"
    kernel = schedule(derived, symbol, options)
    return derived, kernel, emit_module(kernel, fma=has_fma())


def compile_function(
    stages: Stages, name: str, options: Options, of: str | None = None
) -> Compiled:
    """A function, ready to be called with buffers."""
    derived, kernel, ir = lower(stages, name, options, of)
    return Compiled(derived, kernel, ir, compile_ir(ir, kernel.name))
