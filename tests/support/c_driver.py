"""A C program that calls every function of compiled code, and what it prints.

The program is `tests/artifacts/c/driver.c`; what differs between losses is generated here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import symopt
from symopt.artifacts.build import generate_code, interface_of
from symopt.artifacts.header import header
from symopt.artifacts.interface import Entry, Interface, Shape, in_numbers
from symopt.native.target_names import named_targets
from symopt.types import evaluate

SOURCES = Path(__file__).parents[1] / "artifacts" / "c"
WARNINGS = ("-std=c11", "-pedantic", "-Wall", "-Wextra", "-Werror")


@dataclass(frozen=True, slots=True)
class Case:
    """Sizes, arrays by name, and the inputs of functions."""

    dims: Mapping[str, int]
    arrays: Mapping[str, Any]
    inputs: Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Found:
    """What a function returned, and the results that it wrote if that was 0."""

    status: int
    results: tuple[np.ndarray, ...]


class Driver:
    """A loss with its driver in a folder."""

    def __init__(
        self,
        folder: Path,
        model: symopt.Model,
        functions: Sequence[str],
        sizes: Mapping[str, int],
        *,
        dtype: Any = np.float64,
        target: str = "native",
    ) -> None:
        precision = "float32" if dtype == np.float32 else "float64"
        self.interface = interface_of(model, "loss", functions, sizes, precision)
        self.folder, self.dtype = folder, dtype
        targets = named_targets(target)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "loss.h").write_text(header(self.interface, "loss.sym", targets))
        (folder / "loss.o").write_bytes(generate_code(self.interface, targets).image)
        (folder / "loss_calls.h").write_text(_calls(self.interface))

    def build(self, *options: str) -> Path:
        """The program, compiled with more options."""
        program = self.folder / "driver"
        words = ["cc", *WARNINGS, "-g", *options, "-I", ".", str(SOURCES / "driver.c")]
        run(*words, "loss.o", "-lm", "-pthread", "-o", program.name, folder=self.folder)
        return program

    def write(self, cases: Sequence[Case]) -> Path:
        """A file of cases."""
        path = self.folder / "cases"
        path.write_bytes(b"".join([_number(len(cases)), *map(self._written, cases)]))
        return path

    def _written(self, case: Case) -> bytes:
        interface = self.interface
        parts = [_number(case.dims[name]) for name in interface.open_dims]
        for field in interface.fields:
            given = case.arrays.get(field.name)
            dtype = np.int64 if field.integers else self.dtype
            parts.append(_number(-1) if given is None else _array(given, dtype))
        parts += [_array(case.inputs[name], self.dtype) for name in _inputs(interface)]
        for entry in interface.functions:
            parts += [_number(self._count(one.matrix, case.dims)) for one in entry.outputs]
        return b"".join(parts)

    def _count(self, shape: Shape, dims: Mapping[str, int]) -> int:
        sizes = {**self.interface.sizes, **dims}
        found = (int(evaluate(in_numbers(one, sizes), sizes, {}, {})) for one in shape)
        return int(np.prod([max(size, 0) for size in found], dtype=int))

    def read(self, text: str) -> list[dict[str, Found]]:
        """What the program printed: by case, then by function; `check` among them."""
        found: list[dict[str, Found]] = []
        for line in text.splitlines():
            first, *words = line.split()
            if first == "case":
                found.append({"check": Found(int(words[1]), ())})
                continue
            if not line.startswith(" "):
                name = first
                found[-1][name] = Found(int(words[0]), ())
                continue
            numbers = np.array([float.fromhex(word) for word in line.split()])
            before = found[-1][name]
            found[-1][name] = Found(before.status, (*before.results, numbers))
        return found


def works(*options: str, folder: Path) -> bool:
    """Whether the C compiler has these options, and what it makes with them runs."""
    if shutil.which("cc") is None:
        return False
    (folder / "nothing.c").write_text("int main(void) { return 0; }\n")
    words = ["cc", *options, "nothing.c", "-o", "nothing"]
    made = subprocess.run(words, cwd=folder, capture_output=True, check=False)
    return made.returncode == 0 and not subprocess.run([folder / "nothing"], check=False).returncode


def run(*words: str, folder: Path, **environment: str) -> str:
    """What a command prints that must succeed."""
    found = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, check=False, env=os.environ | environment
    )
    assert found.returncode == 0, f"{' '.join(words)}\n{found.stdout[-2000:]}{found.stderr[-6000:]}"
    return found.stdout


def _number(value: int) -> bytes:
    return np.int64(value).tobytes()


def _array(values: Any, dtype: Any) -> bytes:
    array = np.ascontiguousarray(values, dtype)
    return _number(array.nbytes) + array.tobytes()


def _inputs(interface: Interface) -> tuple[str, ...]:
    """The names of all inputs of functions."""
    return tuple(dict.fromkeys(o.name for e in interface.functions for o in e.inputs))


def _calls(interface: Interface) -> str:
    """The table of functions, and the record filled by the names of its fields."""
    inputs, names = _inputs(interface), interface.identifiers
    filled = [f"found.{names[n]} = sizes[{k}];" for k, n in enumerate(interface.open_dims)]
    filled += [f"found.{names[f.name]} = arrays[{k}];" for k, f in enumerate(interface.fields)]
    most = max(len(entry.outputs) for entry in interface.functions)
    entries = interface.functions
    return f"""\
#include "loss.h"

typedef loss_data data;
typedef {interface.real} real;
enum {{ DIMS = {len(interface.open_dims)}, FIELDS = {len(interface.fields)} }};
enum {{ MOST_INPUTS = {len(inputs)}, MOST_OUTPUTS = {most}, FUNCTIONS = {len(entries)} }};
#define CHECK loss_check

typedef struct {{
    const char *name;
    int inputs, input[MOST_INPUTS], outputs, number[MOST_OUTPUTS];
    int32_t (*call)(const data *, void **, void *, int64_t);
    int64_t (*workspace)(const data *);
}} function;

static data described(const int64_t *sizes, void **arrays) {{
    data found = {{0}};
    {" ".join(filled)}
    return found;
}}

{"".join(map(_wrapper, entries))}
static const function functions[] = {{
{"".join(_row(entry, inputs) for entry in entries)}}};
"""


def _wrapper(entry: Entry) -> str:
    count = len(entry.inputs) + len(entry.outputs)
    given = ", ".join(f"arrays[{k}]" for k in range(count))
    return (
        f"static int32_t call_{entry.name}(const data *d, void **arrays, void *work, int64_t size) "
        f"{{ return loss_{entry.name}(d, {given}, work, size); }}\n"
    )


def _row(entry: Entry, inputs: Sequence[str]) -> str:
    places = ", ".join(str(inputs.index(one.name)) for one in entry.inputs)
    numbers = ", ".join(str(int(one.number)) for one in entry.outputs)
    sizes = f"{len(entry.inputs)}, {{{places}}}, {len(entry.outputs)}, {{{numbers}}}"
    return f'    {{"{entry.name}", {sizes}, call_{entry.name}, loss_{entry.name}_workspace}},\n'
