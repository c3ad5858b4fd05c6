"""From IR to a machine address: verify, optimize, generate code, link."""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any

from symopt.clock import Clock
from symopt.diagnostics import CompileError
from symopt.native.maths import Cpu

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
_WELL, _QUICKLY = 2, 0  # how code is generated, as LLVM counts
_lock = threading.Lock()
_serial = iter(range(1 << 62))


@dataclass(frozen=True, slots=True)
class Library:
    """Linked code. `tracker` keeps it mapped: drop it only with the last function made of it."""

    entry: Any  # a ctypes function of one address
    tracker: Any
    seconds: dict[str, float]


@cache
def _machine(effort: int) -> Any:
    """The target of this process, chosen from the CPU it runs on."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=effort,
        reloc="pic",
        codemodel="small",
    )


@cache
def _linker() -> Any:
    import llvmlite.binding as llvm

    return llvm.create_lljit_compiler(_machine(_WELL))


@cache
def host() -> Cpu:
    """What this process's CPU can do."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    # Every 64-bit ARM has fused multiply-add, and does not list it.
    fma = bool(features.get("fma")) or _machine(_WELL).triple.startswith("aarch64")
    return Cpu(fma=fma, scalef=bool(features.get("avx512f")))


def optimized(ir: str) -> Any:
    """The module of some IR after the pass list; a CompileError if the IR is not valid."""
    import llvmlite.binding as llvm

    machine = _machine(_WELL)
    try:
        module = llvm.parse_assembly(ir)
        module.verify()
    except RuntimeError as error:
        raise CompileError(f"symopt emitted invalid code: {error}\n{ir}") from error
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
    passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    for name in _PASSES:
        getattr(passes, f"add_{name}_pass")()
    passes.run(module, builder)
    return module


def _effort(ir: str) -> int:
    """How to generate code: quickly where it is long and has no loop, whose index is a phi."""
    return _QUICKLY if ir.count("\n") > _LONG and "phi i64" not in ir else _WELL


def compile_ir(ir: str, name: str) -> Library:
    """The function `name` of some IR, ready to call."""
    import llvmlite.binding as llvm

    with _lock:
        clock = Clock()
        module = optimized(ir)
        clock.lap("passes")
        image = _machine(_effort(ir)).emit_object(module)
        clock.lap("code")
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
