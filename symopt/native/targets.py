"""What code is generated for: this process's processor, or another one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from string import Template
from typing import TYPE_CHECKING, Literal

from symopt.native.maths import Cpu

if TYPE_CHECKING:
    from llvmlite.binding import ModuleRef, TargetMachine

# How much effort goes into the code of a module, as LLVM counts.
WELL, QUICKLY = 2, 0
LEVELS = ("x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4")
# As triples spell them; the last three are one.
SYSTEMS = ("linux", "windows", "freebsd", "netbsd", "openbsd", "macos", "macosx", "darwin")


@dataclass(frozen=True, slots=True)
class Target:
    """A machine that code is generated for: LLVM's triple, CPU and features."""

    triple: str
    cpu: str
    features: str = ""

    def __str__(self) -> str:
        return f"{self.triple}:{self.cpu}"

    @property
    def architecture(self) -> Literal["x86-64", "aarch64", "other"]:
        """The instruction set, with addresses of 64 bits."""
        if self.triple.endswith(("x32", "ilp32")):
            return "other"
        match self.triple.partition("-")[0]:
            case "x86_64" | "amd64":
                return "x86-64"
            case "aarch64" | "arm64":
                return "aarch64"
            case _:
                return "other"

    @property
    def system(self) -> str | None:
        """The operating system, if the triple names one that is known."""
        parts = self.triple.split("-")[1:]
        found = [name for name in SYSTEMS if any(part.startswith(name) for part in parts)]
        if not found:
            return None
        return "macos" if found[0] in ("macosx", "darwin") else found[0]

    @property
    def format(self) -> Literal["elf", "macho", "coff"]:
        """The format of its object files."""
        match self.system:
            case "windows":
                return "coff"
            case "macos":
                return "macho"
            case _:
                return "elf"


@cache
def host_target() -> Target:
    """The processor of this process."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()
    return Target(
        llvm.Target.from_default_triple().triple,
        llvm.get_host_cpu_name(),
        llvm.get_host_cpu_features().flatten(),
    )


@cache
def host() -> Cpu:
    """What the processor of this process can do."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    # Every 64-bit ARM has fused multiply-add, and does not list it.
    fma = bool(features.get("fma")) or host_target().architecture == "aarch64"
    return Cpu(fma=fma, scalef=bool(features.get("avx512f")))


@cache
def machine(target: Target, effort: int = WELL) -> TargetMachine:
    """LLVM's code generator for a target."""
    import llvmlite.binding as llvm

    if target != host_target():
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
    found = llvm.Target.from_triple(target.triple)
    return found.create_target_machine(
        cpu=target.cpu, features=target.features, opt=effort, reloc="pic", codemodel="small"
    )


def module_for(target: Target, ir: str) -> ModuleRef:
    """A verified module of a target."""
    import llvmlite.binding as llvm

    module = llvm.parse_assembly(ir)
    module.verify()
    module.triple = machine(target).triple
    module.data_layout = str(machine(target).target_data)
    return module


@cache
def capabilities(target: Target) -> Cpu:
    """What code for a target may use."""
    if target == host_target():
        return host()
    if target.architecture != "x86-64":
        return Cpu(fma=target.architecture == "aarch64", scalef=False)
    fma, wide = (
        f'"target-cpu"="x86-64" "target-features"="+{name}"' for name in ("fma", "avx512f")
    )
    return Cpu(fma=_has(target, fma), scalef=_has(target, wide))


@cache
def level_of(target: Target) -> int:
    """The highest level of x86-64 all of which a target has, from 1; 0 of other processors."""
    if target.architecture != "x86-64":
        return 0
    if target.cpu in LEVELS:
        return LEVELS.index(target.cpu) + 1
    return sum(_has(target, f'"target-cpu"="{level}"') for level in LEVELS)


def _has(target: Target, attributes: str) -> bool:
    """Whether a target has all features of a function with some attributes.

    LLVM lists the features of no processor, but it inlines functions with all of the caller's only.
    """
    import llvmlite.binding as llvm

    module = module_for(
        target,
        Template(_INLINED).substitute(wanted=attributes, cpu=target.cpu, features=target.features),
    )
    tuning = llvm.create_pipeline_tuning_options(speed_level=2)
    builder = llvm.create_pass_builder(machine(target), tuning)
    builder.getModulePassManager().run(module, builder)
    return "@wanted" not in str(module.get_function("caller"))


_INLINED = """
define internal double @wanted(double %a) $wanted {
  %b = fmul double %a, %a
  ret double %b
}
define double @caller(double %a) "target-cpu"="$cpu" "target-features"="$features" {
  %b = call double @wanted(double %a)
  ret double %b
}
"""
