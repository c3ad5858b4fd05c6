"""Compiled code for tests: made once a run, and its Python module as people import it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import symopt
from symopt.artifacts.build import generate_code, interface_of
from symopt.artifacts.link import link
from symopt.artifacts.python.module import python_module
from symopt.native.targets import host_target
from symopt.precision import Precision


def compile_into(
    folder: Path,
    model: symopt.Model,
    stem: str,
    functions: Sequence[str] | None = None,
    sizes: Mapping[str, int] | None = None,
    precision: Precision = "float64",
) -> None:
    """Write `stem.py`, `stem.o` and the shared library to a folder."""
    interface = interface_of(model, stem, functions, sizes, precision)
    (folder / f"{stem}.py").write_text(python_module(interface), encoding="utf-8")
    (folder / f"{stem}.o").write_bytes(generate_code(interface, [host_target()]).image)
    linked = link(folder, stem, host_target())
    assert linked.library is not None, linked.problem


def module_in(folder: Path, stem: str) -> ModuleType:
    """The module in a folder, which need not be on the path."""
    spec = importlib.util.spec_from_file_location(stem, folder / f"{stem}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outcome(bind: Callable[..., Any], given: Any, call: Callable[[Any], Any] | None = None) -> Any:
    """What comes of binding data and of a call: a result, or the name and text of an error."""
    try:
        problem = bind(given)
        return "fine" if call is None else call(problem)
    except Exception as error:  # of whichever kind: it is what is compared
        return type(error).__name__, str(error)
