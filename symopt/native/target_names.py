"""Names of targets, as people write them.

A target is `native`, `x86-64-v3`, `aarch64`, `windows`, or one of LLVM's triples and perhaps a CPU,
`x86_64-pc-windows-msvc`, `aarch64-unknown-linux-gnu:neoverse-v1`.
"""

from __future__ import annotations

import difflib
import platform
import subprocess
import sys
from pathlib import Path

from symopt.native.targets import LEVELS, SYSTEMS, Target, host_target

# Names for the triples that people ask for most.
_TRIPLES = {
    "aarch64": "aarch64-unknown-linux-gnu",
    "arm64": "aarch64-unknown-linux-gnu",
    "linux": "x86_64-unknown-linux-gnu",
    "windows": "x86_64-pc-windows-msvc",
    "mingw": "x86_64-pc-windows-gnu",
    "macos": "arm64-apple-macosx11.0",
    "macos-x86-64": "x86_64-apple-macosx10.15",
}
# What other programs call them.
_SPELLINGS = {"host": "native", "x86_64": "x86-64", "amd64": "x86-64", "x64": "x86-64"}
_SPELLINGS |= {f"x86_64-v{number}": f"x86-64-v{number}" for number in (2, 3, 4)}
# The level that brings features of processors which people know by name.
_FEATURES = {
    "x86-64": ("sse", "sse2"),
    "x86-64-v2": ("sse3", "ssse3", "sse4", "sse4.1", "sse4.2", "popcnt"),
    "x86-64-v3": ("avx", "avx2", "fma", "fma3", "bmi", "bmi2", "f16c"),
    "x86-64-v4": ("avx512", "avx-512", "avx512f", "avx512vl", "avx512bw", "avx512dq"),
}


class UnknownTarget(ValueError):
    """There is no such target; `help` says what there is."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(message)
        self.help = help


def named_targets(text: str) -> tuple[Target, ...]:
    """The targets of names with commas between: one, or levels of x86-64 that go into one library.

    Raises UnknownTarget.
    """
    found = tuple(dict.fromkeys(named_target(name) for name in text.split(",")))
    if len(found) > 1:
        _check_together(found)
    return found


def named_target(name: str) -> Target:
    """The target that a name means; raises UnknownTarget."""
    name = name.strip().lower()
    triple, _, cpu = name.partition(":")
    triple = _SPELLINGS.get(triple, triple)
    if triple == "native" and not cpu:
        return host_target()
    if triple in LEVELS:
        if cpu:
            raise UnknownTarget(
                f"`{triple}` is a CPU already: no `:{cpu}` may follow", f"write `linux:{cpu}`"
            )
        triple, cpu = _local_triple(), triple
    target = Target(_TRIPLES.get(triple, triple), cpu)
    if not cpu:
        target = Target(target.triple, "x86-64" if target.architecture == "x86-64" else "generic")
    _check(target, name)
    return target


def _local_triple() -> str:
    """The triple of this system on x86-64, whatever its processor is."""
    if platform.machine().lower() in ("x86_64", "amd64"):
        return host_target().triple
    if sys.platform == "win32":
        return _TRIPLES["windows"]
    return _TRIPLES["macos-x86-64" if sys.platform == "darwin" else "linux"]


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────


def _check_together(targets: tuple[Target, ...]) -> None:
    """Raises UnknownTarget for what cannot be in one library."""
    if len({target.triple for target in targets}) > 1:
        raise UnknownTarget(
            f"one library cannot hold code for {' and '.join(map(str, targets))}",
            "compile for each system by itself",
        )
    for target in targets:
        if target.cpu not in LEVELS:
            # A library asks a processor for its level, and not for all that a CPU has beyond that.
            raise UnknownTarget(
                f"`{target.cpu}` is not a level of x86-64, of which one library may hold several",
                "give levels, as in x86-64-v2,x86-64-v3,x86-64-v4, or one target",
            )


def _check(target: Target, name: str) -> None:
    """Raises UnknownTarget for what there is no code for."""
    if target.architecture == "other":
        raise UnknownTarget(
            f"`{name}` is no target" if name else "the name of a target is missing", _instead(name)
        )
    if target.system is None:
        raise UnknownTarget(
            f"`{target.triple}` names no system that is known",
            f"known are {', '.join(SYSTEMS)}, as in {_TRIPLES['linux']}",
        )
    if target.architecture == "x86-64" and target.cpu in LEVELS:
        return
    if target.cpu != "generic" and not _is_known(target):
        raise UnknownTarget(
            f"LLVM knows no CPU `{target.cpu}` of {target.triple}",
            "give the name that clang and gcc have for it, as in znver4 or neoverse-v1",
        )


def _instead(name: str) -> str:
    """What may have been meant by a name."""
    for level, features in _FEATURES.items():
        if name in features:
            return f"{level} is the plainest target that has {name}"
    for where in ("macos",) if name.startswith("apple-") else ("linux", "aarch64"):
        if name.replace("-", "").isalnum() and _is_known(Target(_TRIPLES[where], name)):
            return f"{name} is a CPU: write {where}:{name}"
    names = ("native", *LEVELS, *_TRIPLES)
    close = difflib.get_close_matches(name, names, n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    known = f"there is code for {', '.join(names)}, and LLVM's triples of x86_64 and aarch64"
    return meant + known


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
