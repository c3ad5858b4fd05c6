"""What compiled code is, for programs to read: `loss.json`, and how builds find it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import symopt
from symopt.artifacts.build import Code
from symopt.artifacts.interface import Entry, Field, Interface, Operand, Shape, in_numbers
from symopt.source import Source
from symopt.typed.program import Param

FORMAT = 1


def manifest(interface: Interface, source: Source, code: Code, files: Mapping[str, str]) -> str:
    """Dims, data, parameters and their layout, functions and versions, as JSON."""
    import llvmlite

    program, sizes = interface.program, interface.sizes

    def shape(value: Shape) -> list[int | str]:
        found = (in_numbers(size, sizes) for size in value)
        return [str(size) if size.value is None else size.value for size in found]

    def operand(one: Operand) -> dict[str, Any]:
        return {"name": one.name, "shape": shape(one.matrix), "number": one.number}

    def entry(one: Entry) -> dict[str, Any]:
        return {
            "name": one.name,
            "symbol": f"{interface.stem}_{one.name}",
            "summary": one.summary,
            "inputs": [operand(each) for each in one.inputs],
            "outputs": [operand(each) for each in one.outputs],
        }

    def data(one: Field) -> dict[str, Any]:
        return {
            "name": one.name,
            "c_name": interface.identifiers[one.name],
            "shape": shape(one.shape),
            "dtype": "int64" if one.integers else interface.precision,
            "below": None if one.below is None else shape((one.below,))[0],
            "default": one.default,
            "description": one.description,
        }

    def parameter(one: Param) -> dict[str, Any]:
        return {
            "name": one.name,
            "shape": shape(one.shape),
            "stored_shape": shape(one.stored_shape),
            "packing": one.packing,
            "description": one.description,
        }

    document = {
        "format": FORMAT,
        "name": interface.stem,
        "source": source.name,
        "sha256": hashlib.sha256(source.text.encode()).hexdigest(),
        "goal": "maximize" if program.maximize else "minimize",
        "dtype": interface.precision,
        "dims": {
            name: {"size": sizes.get(name), "c_name": interface.identifiers.get(name)}
            for name in program.dims
        },
        "data": [data(one) for one in interface.fields],
        "parameters": [parameter(one) for one in program.params.values()],
        "n": shape((interface.parameter_count,))[0],
        "residuals": {name: shape(value) for name, value in interface.cut.items()},
        "functions": [entry(one) for one in interface.functions],
        "setup": [entry(one) for one in interface.setups],
        "targets": [{"triple": one.triple, "cpu": one.cpu} for one in code.targets],
        "files": dict(files),
        "versions": {"symopt": symopt.__version__, "llvmlite": llvmlite.__version__},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def cmake_config(stem: str) -> str:
    """A package for CMake: `find_package(loss CONFIG)`, and link with `loss::loss`."""
    return f"""\
# Compiled by symopt: find_package({stem} CONFIG REQUIRED PATHS <this folder>), then
# target_link_libraries(program PRIVATE {stem}::{stem}).
if(NOT TARGET {stem}::{stem})
  add_library({stem}::{stem} INTERFACE IMPORTED)
  set_target_properties({stem}::{stem} PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${{CMAKE_CURRENT_LIST_DIR}}"
    INTERFACE_LINK_LIBRARIES "${{CMAKE_CURRENT_LIST_DIR}}/{stem}.o")
  if(UNIX)
    set_property(TARGET {stem}::{stem} APPEND PROPERTY INTERFACE_LINK_LIBRARIES m)
  endif()
endif()
"""


def pkg_config(stem: str, description: str) -> str:
    """A description for pkg-config: `pkg-config --cflags --libs loss`."""
    return f"""\
# Compiled by symopt: PKG_CONFIG_PATH=<this folder> pkg-config --cflags --libs {stem}
Name: {stem}
Description: {description}
Version: {symopt.__version__}
Cflags: -I${{pcfiledir}}
Libs: ${{pcfiledir}}/{stem}.o -lm
"""
