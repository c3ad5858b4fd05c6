"""What code is generated for: this process's processor, or one that is named.

A target is written `native`, `x86-64-v3`, `aarch64`, `x86_64-pc-windows-msvc`, or as an LLVM triple
and a CPU, `aarch64-unknown-linux-gnu:neoverse-v1`.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from symopt.native.maths import Cpu

if TYPE_CHECKING:
    from llvmlite.binding import ModuleRef, TargetMachine

# How much effort goes into the code of a module, as LLVM counts.
WELL, QUICKLY = 2, 0
LEVELS = ("x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4")
# Names for the triples that people ask for most.
_TRIPLES = {
    "aarch64": "aarch64-unknown-linux-gnu",
    "arm64": "aarch64-unknown-linux-gnu",
    "linux": "x86_64-unknown-linux-gnu",
    "windows": "x86_64-pc-windows-msvc",
    "macos": "arm64-apple-macosx11.0",
    "macos-x86-64": "x86_64-apple-macosx10.15",
}


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
        """The instruction set."""
        match self.triple.partition("-")[0]:
            case "x86_64" | "amd64":
                return "x86-64"
            case "aarch64" | "arm64":
                return "aarch64"
            case _:
                return "other"

    @property
    def format(self) -> Literal["elf", "macho", "coff"]:
        """The format of its object files."""
        if "windows" in self.triple:
            return "coff"
        return "macho" if any(name in self.triple for name in ("apple", "darwin")) else "elf"


class UnknownTarget(ValueError):
    """LLVM has no such triple or CPU."""


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


def named_target(name: str) -> Target:
    """The target that a name means; raises UnknownTarget."""
    if name == "native":
        return host_target()
    triple, _, cpu = name.partition(":")
    if triple in LEVELS:
        if cpu:
            raise UnknownTarget(f"`{triple}` is a CPU already: no `:{cpu}` may follow")
        triple, cpu = _local_triple(), triple
    target = Target(_TRIPLES.get(triple, triple), cpu)
    if not cpu:
        target = Target(target.triple, "x86-64" if target.architecture == "x86-64" else "generic")
    _check(target, name)
    return target


def capabilities(target: Target) -> Cpu:
    """What code for a target may use, found by looking at code for it."""
    if target == host_target():
        return host()
    if target.architecture != "x86-64":
        return Cpu(fma=target.architecture == "aarch64", scalef=False)
    code = _assembly(target, _PROBE)
    return Cpu(fma="vfmadd" in code, scalef="zmm" in code)


# A fused product, and a sum of as many doubles as one register of AVX-512 has.
_PROBE = """
declare double @llvm.fma.f64(double, double, double)
define double @fused(double %a, double %b) {
  %c = call double @llvm.fma.f64(double %a, double %a, double %b)
  ret double %c
}
define void @wide(ptr %a) "prefer-vector-width"="512" "min-legal-vector-width"="512" {
  %b = load <8 x double>, ptr %a
  %c = fadd <8 x double> %b, %b
  store <8 x double> %c, ptr %a
  ret void
}
"""


def _assembly(target: Target, ir: str) -> str:
    module = module_for(target, ir)
    return machine(target).emit_assembly(module)


def module_for(target: Target, ir: str) -> ModuleRef:
    """A verified module of a target."""
    import llvmlite.binding as llvm

    module = llvm.parse_assembly(ir)
    module.verify()
    module.triple = machine(target).triple
    module.data_layout = str(machine(target).target_data)
    return module


def _local_triple() -> str:
    """The triple of this system on x86-64, whatever its processor is."""
    if platform.machine().lower() in ("x86_64", "amd64"):
        return host_target().triple
    if sys.platform == "win32":
        return _TRIPLES["windows"]
    return _TRIPLES["macos-x86-64" if sys.platform == "darwin" else "linux"]


def _check(target: Target, name: str) -> None:
    """Raises UnknownTarget for what there is no code for."""
    if target.architecture == "other":
        known = ", ".join(("native", *LEVELS, *_TRIPLES))
        raise UnknownTarget(
            f"`{name}` is no target: give one of {known}, or a triple of x86_64 or aarch64"
        )
    if target.cpu != "generic" and target.cpu not in LEVELS and not _is_known(target):
        raise UnknownTarget(f"LLVM knows no CPU `{target.cpu}` of {target.triple}")


def _is_known(target: Target) -> bool:
    """Whether LLVM knows a CPU. Of others it prints a warning, or ends the process: so in one."""
    import llvmlite

    where = str(Path(llvmlite.__file__).parent.parent)
    command = [sys.executable, "-c", _TRIAL, where, target.triple, target.cpu]
    trial = subprocess.run(command, capture_output=True, check=False)
    return trial.returncode == 0 and b"not a recognized processor" not in trial.stderr


_TRIAL = """
import sys
sys.path.append(sys.argv[1])
import llvmlite.binding as llvm
llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
machine = llvm.Target.from_triple(sys.argv[2]).create_target_machine(cpu=sys.argv[3])
machine.emit_object(llvm.parse_assembly("define void @nothing() { ret void }"))
"""
