"""From IR to a machine address: verify, optimize, generate code, link."""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from symopt.clock import Clock
from symopt.diagnostics import CompileError
from symopt.native.cache import keep_object, object_key, read_object
from symopt.native.targets import QUICKLY, WELL, Target, host_target, machine, module_for

if TYPE_CHECKING:
    from llvmlite.binding import ModuleRef

# The pass list and code generation options are measured choices: docs/decisions.
_PASSES = (
    "simplify_cfg",
    "sroa",
    "instruction_combine",
    "aggressive_dce",
)
# Code without a loop runs in microseconds. Beyond some length, choosing its registers well costs
# more than it gives: seconds, growing with the square of the length.
_LONG = 8_000
_FORMAT = "1"  # another one if `optimized` or the target change in a way that the cache cannot see
_lock = threading.Lock()
_serial = iter(range(1 << 62))


@dataclass(frozen=True, slots=True)
class Library:
    """Linked code. `tracker` keeps it mapped: drop it only with the last function made of it."""

    entry: Any  # a ctypes function of one address
    tracker: Any
    seconds: dict[str, float]


@cache
def _linker() -> Any:
    import llvmlite.binding as llvm

    return llvm.create_lljit_compiler(machine(host_target()))


def optimized(ir: str, target: Target) -> ModuleRef:
    """The module of some IR after the pass list; a CompileError if the IR is not valid."""
    import llvmlite.binding as llvm

    try:
        module = module_for(target, ir)
    except RuntimeError as error:
        raise CompileError(f"symopt emitted invalid code: {error}\n{ir}") from error
    tuning = llvm.create_pipeline_tuning_options(speed_level=2)
    builder = llvm.create_pass_builder(machine(target), tuning)
    passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    for name in _PASSES:
        getattr(passes, f"add_{name}_pass")()
    passes.run(module, builder)
    return module


def effort_for(ir: str) -> int:
    """How to generate code: quickly where it is long and has no loop, whose index is a phi."""
    return QUICKLY if ir.count("\n") > _LONG and "phi i64" not in ir else WELL


@cache
def _circumstances() -> tuple[str, ...]:
    """What object code is determined by, beside its IR. The first is for all that has no name."""
    import llvmlite
    import llvmlite.binding as llvm

    target = host_target()
    layout = str(machine(target).target_data)
    versions = f"{llvmlite.__version__} {llvm.llvm_version_info}"
    return _FORMAT, versions, target.triple, target.cpu, target.features, layout, str(_PASSES)


def _object_code(ir: str, clock: Clock) -> bytes:
    """The object code of some IR, from the cache where it is there."""
    effort = effort_for(ir)
    key = object_key(*_circumstances(), str(effort), ir)
    if (image := read_object(key)) is not None:
        clock.lap("cached")
        return image
    module = optimized(ir, host_target())
    clock.lap("passes")
    image = machine(host_target(), effort).emit_object(module)
    keep_object(key, image)
    clock.lap("code")
    return image


def compile_ir(ir: str, name: str) -> Library:
    """The function `name` of some IR, ready to call."""
    import llvmlite.binding as llvm

    with _lock:
        clock = Clock()
        image = _object_code(ir, clock)
        library = f"symopt.{next(_serial)}"
        tracker = (
            llvm.JITLibraryBuilder()
            .add_object_img(image)
            .add_current_process()
            .export_symbol(name)
            .link(_linker(), library)
        )
        entry = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(tracker[name])
        clock.lap("link")
    return Library(entry, tracker, clock.seconds)
