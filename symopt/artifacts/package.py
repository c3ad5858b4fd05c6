"""The files of compiled code, written to a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from symopt.artifacts.build import Code, generate_code
from symopt.artifacts.generated.file import test_source
from symopt.artifacts.header import header
from symopt.artifacts.interface import Interface
from symopt.artifacts.link import Linked, link
from symopt.artifacts.manifest import cmake_config, manifest, pkg_config
from symopt.artifacts.python.module import python_module
from symopt.data_files import is_manifest
from symopt.diagnostics import DataError, Diagnostic, Kind
from symopt.model import Model
from symopt.native.targets import Target


@dataclass(frozen=True, slots=True)
class Package:
    """What was written, and what came of linking it."""

    folder: Path
    files: tuple[str, ...]
    code: Code
    linked: Linked


def write_package(
    model: Model, interface: Interface, targets: Sequence[Target], folder: Path
) -> Package:
    """Write all files of compiled code to a folder, which is made if it is not there."""
    stem, source = interface.stem, model.sources[0]
    _refuse_others(folder, stem)
    code = generate_code(interface, targets)
    names = [entry.asked_for for entry in interface.functions]
    precision = interface.precision
    texts = {
        f"{stem}.h": header(interface, source.name, code.targets),
        f"{stem}.ll": code.ir,
        f"{stem}.py": python_module(interface),
        f"test_{stem}.py": test_source(model, stem, names, interface.sizes, precision),
        f"{stem}.pc": pkg_config(stem, f"the loss of {Path(source.name).name}, compiled"),
        f"{stem}-config.cmake": cmake_config(stem),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / f"{stem}.o").write_bytes(code.image)
    linked = link(folder, stem, code.targets[0])
    written = [*texts, f"{stem}.o", *([linked.library.name] if linked.library else [])]
    kinds = {name: _KINDS.get(Path(name).suffix, "") for name in written}
    text = manifest(interface, source, code, kinds)
    (folder / f"{stem}.json").write_text(text, encoding="utf-8")
    return Package(folder, (*written, f"{stem}.json"), code, linked)


def _refuse_others(folder: Path, stem: str) -> None:
    """Raise a DataError where files are in the way that an earlier compilation did not write."""
    if is_manifest(folder / f"{stem}.json"):
        return
    names = (f"{stem}{suffix}" for suffix in (*_KINDS, ".json", "-config.cmake"))
    found = [name for name in (*names, f"test_{stem}.py") if (folder / name).exists()]
    if found:
        message = f"`{folder}` has files that symopt compile did not write: {', '.join(found)}"
        help = "choose another folder with -o, or another name with --name"
        raise DataError(Diagnostic(Kind.DATA, "files-in-the-way", message, help=help))


_KINDS = {
    ".h": "C header",
    ".o": "object code",
    ".so": "shared library",
    ".dll": "shared library",
    ".ll": "LLVM IR",
    ".py": "Python",
    ".pc": "pkg-config",
    ".cmake": "CMake",
}
