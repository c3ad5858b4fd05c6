"""The Python module of compiled code: a specification in front of what binds and calls by it.

The latter are the files of `runtime/`, one after another, without their imports of each
other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

import symopt
from symopt.artifacts.interface import Interface
from symopt.artifacts.python.specification import specification
from symopt.artifacts.python.text import WIDTH, written

_RUNTIME = (
    "specification",
    "errors",
    "data_errors",
    "binding",
    "lookups",
    "layout",
    "library",
    "calls",
    "starts",
    "problem",
)


def python_module(interface: Interface) -> str:
    """The text of the module. It needs NumPy, and the shared library beside it."""
    first, *others = [_Part.read(name) for name in _RUNTIME]
    given = written(specification(interface), len("SPECIFICATION = "))
    parts = [_section(first), f"SPECIFICATION = {given}", *map(_section, others), _PUBLIC.strip()]
    head = [_docstring(interface), "# ruff: noqa"]
    head.append(_imports([first, *others]))
    return "\n\n".join(head) + "\n\n" + "\n\n\n".join(parts) + "\n"


# ── the runtime ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Part:
    """A file of the runtime: what it is for, what it imports, and the rest as it stands."""

    summary: str
    imports: tuple[ast.Import | ast.ImportFrom, ...]
    body: str

    @staticmethod
    def read(name: str) -> _Part:
        text = files("symopt.artifacts.python.runtime").joinpath(f"{name}.py").read_text("utf-8")
        module = ast.parse(text)
        imports = [node for node in module.body if isinstance(node, ast.Import | ast.ImportFrom)]
        last = imports[-1].end_lineno or 0
        summary = (ast.get_docstring(module) or "").splitlines()[0]
        return _Part(summary, tuple(imports), "\n".join(text.splitlines()[last:]).strip())


def _section(part: _Part) -> str:
    rule = "─" * (WIDTH - 2)
    return f"# {rule}\n# {part.summary}\n# {rule}\n\n\n{part.body}"


def _imports(parts: Iterable[_Part]) -> str:
    """What all parts import, but for each other: of the standard library, then of others.

    Annotations are evaluated: as texts, dataclasses would look them up in `sys.modules`, where a
    module is not that somebody loads from its path.
    """
    modules: set[str] = {"import functools"}
    names: dict[str, set[str]] = {}
    for node in (node for part in parts for node in part.imports):
        if isinstance(node, ast.Import):
            modules.add(ast.unparse(node))
        elif node.module not in (None, "__future__") and not node.module.startswith("symopt"):
            names.setdefault(node.module, set()).update(alias.name for alias in node.names)
    lines = sorted(modules) + [
        f"from {module} import {', '.join(sorted(found))}"
        for module, found in sorted(names.items())
    ]
    own = [line for line in lines if "numpy" not in line]
    return "\n".join([*own, "", *(line for line in lines if "numpy" in line)])


_PUBLIC = '''
# What this module offers.

DIMS = {dim.name: dim for dim in SPECIFICATION.dims}
DATA = {data.name: data for data in SPECIFICATION.data}
PARAMS = {param.name: param for param in SPECIFICATION.params}
FUNCTIONS = tuple(entry.of or entry.name for entry in SPECIFICATION.functions)
SYMOPT_VERSION = SPECIFICATION.version

__all__ = [
    "DATA",
    "DIMS",
    "FUNCTIONS",
    "PARAMS",
    "SYMOPT_VERSION",
    "DataError",
    "DerivativeUnavailable",
    "LibraryError",
    "NotCompiled",
    "Problem",
    "ShapeError",
    "SymoptError",
    "bind",
    "library",
]


@functools.cache
def library() -> ctypes.CDLL:
    """The shared library beside this module, loaded when it is first needed."""
    return load_library(SPECIFICATION, __file__)


def bind(data: Any = None, /, **given: Any) -> Problem:
    """The problem that the loss and some data make.

    `data` is a mapping of arrays by name, or a data frame of columns; data and dims can also be
    given as keywords. Raises DataError where something is missing, extra or does not fit.
    """
    return bind_problem(SPECIFICATION, library, data, given)
'''

# ── what people read first ───────────────────────────────────────────────────────────────────────


def _docstring(interface: Interface) -> str:
    program, stem = interface.program, interface.stem
    functions = ", ".join(entry.asked_for for entry in interface.functions)
    sizes = ", ".join(f"{name} = {value}" for name, value in interface.sizes.items())
    given = ", ".join(
        f"{name}={name}" for name, data in program.data.items() if data.default is None
    )
    source = "\n".join(f"    {line}".rstrip() for line in program.source.text.strip().splitlines())
    paragraphs = [
        f"{stem}: a loss and its derivatives as native code, compiled from {program.source.name}.",
        f"    import {stem}\n\n    problem = {stem}.bind({given})\n    problem.value(problem.x0)",
        f"Compiled for {interface.precision}{f', with {sizes}' if sizes else ''}: {functions}.\n"
        f"Needs Python 3.11, NumPy, and the shared library beside this file: {stem}.so, or "
        "as such are called\nelsewhere.",
        f"The loss:\n\n{source}",
        f"Generated by symopt {symopt.__version__}; do not edit.",
    ]
    text = "\n\n".join(paragraphs).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'"""{text}\n"""'
