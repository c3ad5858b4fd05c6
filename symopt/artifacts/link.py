"""From an object file to a shared library, with the C compiler of the system."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from symopt.native.targets import Target, host_target


@dataclass(frozen=True, slots=True)
class Linked:
    """What came of linking: the library, or why there is none; and the command that makes it."""

    library: Path | None
    command: str
    problem: str | None = None


def library_name(stem: str, target: Target) -> str:
    """What the shared library is called."""
    return f"{stem}.dll" if target.format == "coff" else f"{stem}.so"


def link(folder: Path, stem: str, target: Target) -> Linked:
    """Link `stem.o` to a shared library beside it; `CC` names the compiler, if it is set.

    A library that was there before is gone in any case.
    """
    for suffix in ("so", "dll"):
        (folder / f"{stem}.{suffix}").unlink(missing_ok=True)
    name = library_name(stem, target)
    arguments = [*_options(target), "-o", name, f"{stem}.o"]
    arguments += [] if target.format == "coff" else ["-lm"]
    compiler, problem = _compiler(target)
    words = [*compiler, *arguments]
    problem = problem or _failure(words, folder)
    return Linked(None if problem else folder / name, shlex.join(words), problem)


def _failure(words: list[str], folder: Path) -> str | None:
    """Run a command; why it failed, if it did."""
    command = shlex.join(words)
    try:
        run = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    except OSError as error:
        return f"`{command}` cannot be run: {error.strerror or error}"
    if run.returncode == 0:
        return None
    lines = [line for line in run.stderr.splitlines() if line.strip()]
    # What comes last only says again that there was an error.
    return f"`{command}` failed: {next(iter(lines), f'exit code {run.returncode}')}"


def _compiler(target: Target) -> tuple[list[str], str | None]:
    """The command that links for a target, and why it cannot be used, if it cannot."""
    chosen = os.environ.get("CC", "").strip()
    if chosen:
        try:
            words = shlex.split(chosen)
        except ValueError as error:
            return [chosen], f"CC is `{chosen}`, which is no command: {error}"
        missing = shutil.which(words[0]) is None
        return words, f"CC is `{chosen}`, and there is no {words[0]}" if missing else None
    known = [_wanted(target)]
    if _is_local(target):
        known = [["clang"]] if "msvc" in target.triple else [["cc"], ["gcc"], ["clang"]]
    found = next((words for words in known if shutil.which(words[0])), None)
    if found is None:
        return known[0], f"there is no C compiler that links for {target.triple}"
    return found, None


def _wanted(target: Target) -> list[str]:
    """The compiler that systems usually have for a target, if it is not theirs."""
    machine = "aarch64" if target.architecture == "aarch64" else "x86_64"
    match target.system:
        case "linux" if "android" not in target.triple:
            return [f"{machine}-linux-{'musl' if 'musl' in target.triple else 'gnu'}-gcc"]
        case "windows" if "msvc" not in target.triple:
            return [f"{machine}-w64-mingw32-gcc"]
        case _:
            return ["clang", f"--target={target.triple}"]


def _is_local(target: Target) -> bool:
    """Whether the compiler of this system links for a target."""
    host = host_target()
    if target.system == host.system == "macos":
        return True
    libraries = ("musl", "android")
    return (target.architecture, target.system) == (host.architecture, host.system) and [
        name in target.triple for name in libraries
    ] == [name in host.triple for name in libraries]


def _options(target: Target) -> list[str]:
    """What makes a shared library of a target."""
    if target.format != "macho":
        return ["-shared"]
    if host_target().system != "macos":
        return ["-dynamiclib"]
    # One compiler is for both kinds of processor there.
    return ["-dynamiclib", "-arch", "arm64" if target.architecture == "aarch64" else "x86_64"]
