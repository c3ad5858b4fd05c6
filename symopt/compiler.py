"""The whole pipeline on one page: text, tree, program, statements, derivatives, loops, code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from symopt.clock import Clock
from symopt.derive.activity import finiteness_of, wild_tensors
from symopt.derive.functions import (
    COLUMNWISE,
    FUNCTIONS,
    Task,
    derive,
    evaluation,
    last_marked,
)
from symopt.derive.panel import by_panel
from symopt.derive.simplify import drop_dead
from symopt.diagnostics import Diagnostic
from symopt.loops.axis import sample_dims
from symopt.loops.options import Options
from symopt.loops.program import Kernel
from symopt.loops.schedule import schedule
from symopt.loops.single import in_single
from symopt.loops.sizes import NOTHING_FIXED, Fixed
from symopt.native.emit import emit_module
from symopt.native.jit import Library, compile_ir
from symopt.native.targets import host
from symopt.precision import Precision
from symopt.source import Source
from symopt.statements import program as statements
from symopt.statements.build import build_statements
from symopt.statements.hoist import Hoisted, factor, hoist
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
    # Dims of parameters alone are not of samples, however long.
    sampled = {dim for data in program.data.values() for size in data.shape for dim in size.dims}
    ranked = tuple(dim for dim in sample_dims(whole, None) if dim in sampled)
    samples = (program.sample,) if program.sample else ranked
    squares = program.least_squares
    task = Task(whole, objective, cut, tuple(program.params), samples, squares)
    return Stages(source, file, program, warnings, setup, task)


@dataclass(frozen=True, slots=True)
class Request:
    """What to compile: a function (`grad`, `hvp`, ...), or a definition's value, by name.

    `of` names a definition that takes the place of the cut: `jac` of it, `jvp`, `vjp`. What is
    `fixed` is compiled in. Derivatives are by the names `wrt`, None for all parameters. With a
    `width`, a function takes and returns that many vectors side by side. `precision` is of arrays.
    """

    name: str
    of: str | None = None
    fixed: Fixed = NOTHING_FIXED
    wrt: tuple[str, ...] | None = None
    width: int | None = None
    precision: Precision = "float64"


@dataclass(frozen=True, slots=True)
class Planned:
    """One function of a loss as loops, and how long each step took."""

    statements: statements.Program
    hoisted: tuple[Hoisted, ...]
    kernel: Kernel
    seconds: Mapping[str, float] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Lowered(Planned):
    """One function of a loss on its way to native code."""

    ir: str


@dataclass(frozen=True, slots=True)
class Compiled(Lowered):
    """One function of a loss as native code, with all that led to it."""

    library: Library = field(repr=False)


def plan(stages: Stages, request: Request, options: Options) -> Planned:
    """Statements and loops of a function."""
    task = stages.task.by(request.wrt, request.of)
    symbol = f"symopt_{request.name if request.name in FUNCTIONS else 'eval'}"
    clock = Clock()
    derived, hoisted = _derived(task, request)
    clock.lap("derive")
    alone = task.objective if request.name in ("value", "value_and_grad") else request.name
    kernel = scheduled(derived, symbol, options, request.fixed, request.precision, alone)
    clock.lap("schedule")
    return Planned(derived, hoisted, kernel, clock.seconds)


def lower(stages: Stages, request: Request, options: Options) -> Lowered:
    """Statements, loops and IR of a function, for this process."""
    planned, clock = plan(stages, request, options), Clock()
    ir = emit_module(planned.kernel, host())
    clock.lap("emit")
    seconds = {**planned.seconds, **clock.seconds}
    return Lowered(planned.statements, planned.hoisted, planned.kernel, seconds, ir)


def scheduled(
    program: statements.Program,
    symbol: str,
    options: Options,
    fixed: Fixed,
    precision: Precision,
    alone: str | None = None,
) -> Kernel:
    """The loops of a program, in a precision: twice as many floats go side by side.

    The output `alone` is a number where it has no axes; another without is one of a flat vector.
    """
    if precision == "float64":
        return schedule(program, symbol, options, fixed)
    lanes = 2 * options.lanes if options.lanes > 1 else 1
    kernel = schedule(program, symbol, replace(options, lanes=lanes), fixed)
    numbers = (name for name in kernel.outputs if name == alone and not kernel.buffers[name].shape)
    return in_single(kernel, frozenset(numbers))


def _derived(task: Task, request: Request) -> tuple[statements.Program, tuple[Hoisted, ...]]:
    """The statements of a function, each computed over as few points as possible."""
    name, options = request.name, request.fixed.hoisting
    before: tuple[Hoisted, ...] = ()
    if name not in COLUMNWISE:
        program, before = hoist(task.program, replace(options, kept=frozenset(task.cut)))
        task = replace(task, program=program)
    derived = derive(task, name) if name in FUNCTIONS else evaluation(task, name)
    if request.width is not None:
        derived = by_panel(derived, request.width)
    derived, after = hoist(derived, options)
    derived = drop_dead(derived)  # copies hide that a tensor has one reader
    wild = wild_tensors(derived)
    derived, sums = factor(derived, options, lambda one: finiteness_of(one, wild).finite)
    return drop_dead(derived), before + after + sums


def compile_function(stages: Stages, request: Request, options: Options) -> Compiled:
    """A function, ready to be called with buffers."""
    lowered = lower(stages, request, options)
    library = compile_ir(lowered.ir, lowered.kernel.name)
    seconds = {**lowered.seconds, **library.seconds}
    return Compiled(
        lowered.statements, lowered.hoisted, lowered.kernel, seconds, lowered.ir, library
    )
