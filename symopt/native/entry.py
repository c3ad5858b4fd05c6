"""The entry of kernels from Python: one method in native code, for the functions of all problems.

It reads NumPy's arrays where they lie and calls the kernel, in a few tens of nanoseconds; a foreign
call through `ctypes` takes some microseconds. `entry.ll` is its code, compiled once per process.
What it knows of objects in memory is checked on real ones first: where that fails (another Python,
another NumPy, one without GIL) there is no entry, and functions are called the long way.
"""

from __future__ import annotations

import ctypes
import inspect
import sys
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.resources import files
from math import prod
from string import Template
from types import FunctionType, MethodType
from typing import Any, ClassVar

import numpy as np

from symopt.native.jit import Library, compile_ir

_CONTIGUOUS, _ALIGNED, _WRITEABLE = 0x1, 0x100, 0x400
READABLE = _CONTIGUOUS | _ALIGNED
_FASTCALL, _KEYWORDS = 0x80, 0x2
# Offsets in CPython's objects and in the public part of NumPy's arrays (`PyArrayObject_fields`).
OBJECTS = {"object_type": 8, "record_data": 16}
ARRAYS = {
    "array_data": 16,
    "array_rank": 24,
    "array_sizes": 32,
    "array_dtype": 56,
    "array_flags": 64,
}
_VERSION, _ARRAY_TYPE, _NEW_ARRAY = 0, 2, 93  # places in NumPy's table of functions


class Shape(ctypes.Structure):
    """What an array must look like; a number is of rank 0."""

    _fields_: ClassVar = [
        ("rank", ctypes.c_int64),
        ("sizes", ctypes.c_int64 * 2),
        ("bytes", ctypes.c_int64),
    ]


class Call(ctypes.Structure):
    """All that the entry knows of one function; methods are bound to it."""

    _fields_: ClassVar = [
        ("kernel", ctypes.c_void_p),
        ("long", ctypes.c_int64),  # whether it runs without the GIL
        ("lock", ctypes.c_void_p),  # held meanwhile; may be null
        ("slot_count", ctypes.c_int64),
        ("slots", ctypes.c_void_p),  # of each: the number of its base, and an offset from there
        ("input_count", ctypes.c_int64),
        ("first", Shape),
        ("second", Shape),
        ("number_count", ctypes.c_int64),  # of results: a number, arrays, or one of each
        ("array_count", ctypes.c_int64),
        ("large", Shape),
        ("small", Shape),
        ("order", ctypes.c_int64),  # if the large array is a matrix to be made symmetric
        ("range_count", ctypes.c_int64),
        ("ranges", ctypes.c_void_p),  # where the kernel reads data: addresses and bytes
        ("fallback", ctypes.py_object),
        ("ndarray", ctypes.c_void_p),
        ("dtype", ctypes.c_void_p),  # of all arrays
        ("new_array", ctypes.c_void_p),
        ("tuple", ctypes.c_void_p),
        ("none", ctypes.c_void_p),
        ("out", ctypes.c_void_p),
    ]
    keep: tuple[object, ...]  # what has to live as long


class MethodDefinition(ctypes.Structure):
    """CPython's PyMethodDef."""

    _fields_: ClassVar = [
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


@dataclass(frozen=True, slots=True)
class Entry:
    """The compiled entry. `run(call, table)` runs a kernel with a table of addresses and dims."""

    run: Callable[[ctypes.c_void_p, ctypes.c_void_p], None]
    method: int
    new_array: int
    library: Library


@cache
def entry(single: bool = False) -> Entry | None:
    """The entry of this process, for arrays of doubles or, if `single`, of floats.

    None where functions have to be called the long way.
    """
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return None
    new_array = _numpy_function()
    if new_array is None or not _is_as_expected():
        return None
    library = compile_ir(entry_ir(single), "symopt_entry")
    addresses = (ctypes.c_void_p * 2)()
    library.entry(ctypes.addressof(addresses))
    method, run = addresses
    assert method is not None and run is not None
    prototype = ctypes.PYFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
    return Entry(prototype(run), method, new_array, library)


def entry_ir(single: bool = False) -> str:
    """The code of the entry, with the places of all fields."""
    places = {name: getattr(Call, name).offset for name, *_ in Call._fields_}
    shape = {f"shape_{name}": getattr(Shape, name).offset for name, *_ in Shape._fields_}
    numbers = {
        "shape_size": ctypes.sizeof(Shape),
        "real": "float" if single else "double",
        "reals": np.dtype(np.float32 if single else np.float64).num,
        "readable": READABLE,
        "writeable": READABLE | _WRITEABLE,
    }
    text = files("symopt.native").joinpath("entry.ll").read_text(encoding="utf-8")
    own = Template(text).substitute(places | shape | numbers | OBJECTS | ARRAYS)
    return f"{array_functions(single=single)}\n{own}"


def array_functions(*, single: bool) -> str:
    """The code of what entries do with arrays: completing a matrix, finding overlaps."""
    text = files("symopt.native").joinpath("arrays.ll").read_text(encoding="utf-8")
    return Template(text).substitute(real="float" if single else "double")


# ── what objects look like ───────────────────────────────────────────────────────────────────────


def _numpy_function() -> int | None:
    """The address of NumPy's PyArray_New; None unless its interface is one that has it."""
    for name in ("numpy._core._multiarray_umath", "numpy.core._multiarray_umath"):
        try:
            capsule = import_module(name)._ARRAY_API
        except (ImportError, AttributeError):
            continue
        pointer = python_function(
            "PyCapsule_GetPointer", ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p
        )
        functions = (ctypes.c_void_p * (_NEW_ARRAY + 1)).from_address(pointer(capsule, None))
        version = ctypes.CFUNCTYPE(ctypes.c_uint)(functions[_VERSION] or 0)()
        if version >> 24 in (1, 2) and functions[_ARRAY_TYPE] == id(np.ndarray):
            return functions[_NEW_ARRAY]
    return None


def _is_as_expected() -> bool:
    """Whether arrays of several kinds, and records, have their fields where they are read."""
    frozen = np.ones(4)
    frozen.flags.writeable = False
    cube = np.zeros((2, 3, 4))
    arrays = (cube, cube[1], cube[:, ::2, 1], cube.T, frozen, np.zeros(0), np.zeros(3, np.int32))
    record = Call()
    return all(map(_is_array_as_expected, arrays)) and (
        _word(record, OBJECTS["object_type"]) == id(Call)
        and _word(record, OBJECTS["record_data"]) == ctypes.addressof(record)
    )


def _is_array_as_expected(array: np.ndarray[Any, Any]) -> bool:
    sizes = _word(array, ARRAYS["array_sizes"])
    flags = array.flags
    named = {
        _CONTIGUOUS: flags.c_contiguous,
        _ALIGNED: flags.aligned,
        _WRITEABLE: flags.writeable,
    }
    found = ctypes.c_int.from_address(id(array) + ARRAYS["array_flags"]).value
    return (
        _word(array, OBJECTS["object_type"]) == id(np.ndarray)
        and _word(array, ARRAYS["array_data"]) == array.ctypes.data
        and ctypes.c_int.from_address(id(array) + ARRAYS["array_rank"]).value == array.ndim
        and tuple((ctypes.c_int64 * array.ndim).from_address(sizes)) == array.shape
        and _word(array, ARRAYS["array_dtype"]) == id(array.dtype)
        and all(bool(found & flag) == value for flag, value in named.items())
    )


def _word(thing: object, offset: int) -> int:
    return ctypes.c_int64.from_address(id(thing) + offset).value


def python_function(name: str, result: Any, *arguments: Any) -> Any:
    """A function of Python's C interface, called with the GIL held."""
    return ctypes.PYFUNCTYPE(result, *arguments)((name, ctypes.pythonapi))


# ── making methods ───────────────────────────────────────────────────────────────────────────────


def new_lock(owner: object) -> int:
    """A lock that native code can take, for as long as its owner lives."""
    lock = python_function("PyThread_allocate_lock", ctypes.c_void_p)()
    if not lock:
        raise MemoryError
    free = python_function("PyThread_free_lock", None, ctypes.c_void_p)
    weakref.finalize(owner, free, lock).atexit = False
    return lock


def padded(shapes: Iterable[Sequence[int]], width: int) -> tuple[Shape, Shape]:
    """The records of two shapes of elements that wide; of nothing where there are fewer."""
    records = [Shape(len(s), (ctypes.c_int64 * 2)(*s), width * prod(s)) for s in shapes]
    first, second = (*records, Shape(), Shape())[:2]
    return first, second


def pairs(numbers: Iterable[tuple[int, int]]) -> ctypes.Array[Any]:
    """Pairs of words, one after another."""
    flat = [number for pair in numbers for number in pair]
    return (ctypes.c_int64 * max(len(flat), 1))(*flat)


def make_method(
    entry: Entry, call: Call, dtype: np.dtype[Any], fallback: MethodType
) -> Callable[..., Any]:
    """A built-in function that does what a record says, documented like its fallback."""
    call.fallback = fallback
    call.ndarray = id(np.ndarray)
    call.dtype = id(dtype)
    call.new_array = entry.new_array
    call.tuple = id(tuple)
    call.none = id(None)
    call.out = id(sys.intern("out"))
    return built_in(_definition(entry.method, fallback.__func__), call, fallback.__module__)


def built_in(definition: MethodDefinition, record: object, module: str) -> Callable[..., Any]:
    """A built-in function of Python's, bound to a record, which it keeps alive."""
    make = python_function(
        "PyCFunction_NewEx",
        ctypes.py_object,
        ctypes.c_void_p,
        ctypes.py_object,
        ctypes.py_object,
    )
    return make(ctypes.addressof(definition), record, module)


@cache
def _definition(function: int, like: FunctionType) -> MethodDefinition:
    _, *parameters = inspect.signature(like).parameters.values()
    plain = inspect.Signature([p.replace(annotation=inspect.Parameter.empty) for p in parameters])
    text = f"{like.__name__}{plain}\n--\n\n{inspect.getdoc(like)}"
    return method_definition(function, like.__name__, text)


def method_definition(function: int, name: str, text: str) -> MethodDefinition:
    """How a built-in function is called and documented. `text` begins with its signature."""
    flags = _FASTCALL | _KEYWORDS
    definition = MethodDefinition(name.encode(), function, flags, text.encode())
    # Never freed: a method looks at its definition when it goes, even while Python ends.
    python_function("Py_IncRef", None, ctypes.py_object)(definition)
    return definition
