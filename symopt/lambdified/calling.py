"""How a function is called from Python: through a method in native code where that is possible.

The method takes floats, integers and plain arrays as they lie and runs compiled code on them, in
some tens of nanoseconds. Everything else goes the long way, which also compiles what is missing.
"""

from __future__ import annotations

import ctypes
import inspect
import keyword
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from string import Template
from types import FunctionType
from typing import Any, ClassVar

import numpy as np

from symopt.lambdified.arguments import Scalar
from symopt.lambdified.errors import shown
from symopt.lambdified.function import Function
from symopt.lambdified.native import Variant
from symopt.lambdified.results import Block, Many, One, Result
from symopt.native.entry import ARRAYS, OBJECTS, READABLE, built_in, entry, method_definition
from symopt.native.jit import Library, compile_ir

_NAME = "lambdified"
_MOST_AXES, _MOST_ARGUMENTS, _MOST_RESULTS = 4, 1024, 4096
_MOST_MASKED = 63  # arguments of which any may be an array
_FEW = 64  # samples; a run over more gives up the GIL
_FLOAT, _LIST, _TUPLE, _MATRIX, _TRUTH = range(5)  # the kinds of results


class Call(ctypes.Structure):
    """All that the method knows of one function."""

    _fields_: ClassVar = [
        ("argument_count", ctypes.c_int64),  # -1 if all calls go the long way
        ("input_count", ctypes.c_int64),
        ("inputs", ctypes.c_void_p),  # which arguments are read, in the order of the kernels
        ("output_count", ctypes.c_int64),
        ("kind", ctypes.c_int64),
        ("rank", ctypes.c_int64),  # of a matrix of results
        ("sizes", ctypes.c_int64 * _MOST_AXES),
        ("number_kernel", ctypes.c_void_p),  # for numbers; null as long as there is none
        ("array_kernel", ctypes.c_void_p),  # where the arguments of the mask are arrays
        ("array_mask", ctypes.c_int64),
        ("fallback", ctypes.py_object),
        ("ndarray", ctypes.c_void_p),
        ("float64", ctypes.c_void_p),
        ("new_array", ctypes.c_void_p),
    ]
    keep: tuple[object, ...]  # what has to live as long


def callable_of(
    function: Function, expression: Any, docstring_limit: int | None
) -> Callable[..., Any]:
    """The function to be called, documented like SymPy's."""
    names = [argument.name for argument in function.arguments]
    fine = all(name.isidentifier() and not keyword.iskeyword(name) for name in names)
    if not fine or len(set(names)) < len(names):
        names = [f"arg_{k}" for k in range(len(names))]
    text = _documentation(names, function, expression, docstring_limit)
    slow = _LongWay(function, names)
    method = _method()
    if method is None:
        return _wrapped(slow, names, text)
    slow.record = _record(function, slow)
    signature = f"{_NAME}({', '.join(['$self', *names])})\n--\n\n{text}"
    return built_in(method_definition(method[0], _NAME, signature), slow.record, __name__)


class _LongWay:
    """Calls with any arguments; afterwards, those like them take the short way."""

    def __init__(self, function: Function, names: Sequence[str]) -> None:
        self._function = function
        self._names = names
        self.record: Call | None = None

    def __call__(self, *values: Any, **named: Any) -> Any:
        if named or len(values) != len(self._names):
            values = self._bound(values, named)
        result = self._function(*values)
        if self.record is not None and self.record.argument_count >= 0:
            self._remember(self.record, values)
        return result

    def _bound(self, values: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        signature = inspect.Signature([inspect.Parameter(name, kind) for name in self._names])
        try:
            return signature.bind(*values, **named).args
        except TypeError as error:
            raise TypeError(f"{_NAME}({', '.join(self._names)}): {error}") from None

    def _remember(self, record: Call, values: tuple[Any, ...]) -> None:
        """Code for calls like this one, if there is no more to it than inputs and outputs."""
        of_arrays = [isinstance(value, np.ndarray) and value.ndim > 0 for value in values]
        if not any(of_arrays):
            if not record.number_kernel:
                record.number_kernel = _kernel(self._function.variant(frozenset()))
            return
        tensors = [argument.tensor for argument in self._function.leaves]
        chosen = {t for t, is_array in zip(tensors, of_arrays, strict=True) if is_array}
        arrays = frozenset(chosen & self._function.used)
        shapes = {v.shape for v, is_array in zip(values, of_arrays, strict=True) if is_array}
        if len(shapes) != 1 or not arrays or len(values) > _MOST_MASKED:
            return
        if record.kind != _TRUTH and self._function.has_variant(arrays):
            record.array_kernel = None  # first: another thread may look at it meanwhile
            record.array_mask = sum(1 << k for k, is_array in enumerate(of_arrays) if is_array)
            record.array_kernel = _kernel(self._function.variant(arrays))


def _kernel(variant: Variant) -> int | None:
    if not variant.plain:
        return None
    return ctypes.cast(variant.library.entry, ctypes.c_void_p).value


def _record(function: Function, slow: _LongWay) -> Call:
    kind, sizes = _kind(function.result)
    outputs = len(function.formula.roots)
    scalars = [leaf for leaf in function.arguments if isinstance(leaf, Scalar)]
    positions = {leaf.tensor: k for k, leaf in enumerate(scalars)}
    short = (
        kind is not None
        and len(scalars) == len(function.arguments) <= _MOST_ARGUMENTS
        and 0 < outputs <= _MOST_RESULTS
        and not function.formula.whole
    )
    inputs = [positions[name] for name in sorted(function.used)] if short else []
    places = (ctypes.c_int64 * max(len(inputs), 1))(*inputs)
    found = entry()
    assert found is not None
    record = Call(
        argument_count=len(scalars) if short else -1,
        input_count=len(inputs),
        inputs=ctypes.addressof(places),
        output_count=outputs,
        kind=kind or 0,
        rank=len(sizes),
        sizes=(ctypes.c_int64 * _MOST_AXES)(*sizes),
        fallback=slow,
        ndarray=id(np.ndarray),
        float64=id(np.dtype(np.float64)),
        new_array=found.new_array,
    )
    record.keep = (slow, places, function)
    return record


def _kind(result: Result) -> tuple[int | None, tuple[int, ...]]:
    """The kind of a plain result, and the sizes of a matrix; None if it is built in Python."""
    match result:
        case One(condition):
            return (_TRUTH if condition else _FLOAT), ()
        case Many(kind, members) if all(member == One(False) for member in members):
            return (_LIST if kind == "list" else _TUPLE), ()
        case Block(shape) if 0 < len(shape) <= _MOST_AXES:
            return _MATRIX, shape
    return None, ()


@cache
def _method() -> tuple[int, Library] | None:
    """The address of the method, compiled once per process; None where it cannot be."""
    if entry() is None or not _floats_are_as_expected():
        return None
    library = compile_ir(method_ir(), "symopt_call")
    address = ctypes.c_void_p()
    library.entry(ctypes.addressof(address))
    assert address.value is not None
    return address.value, library


def method_ir() -> str:
    """The code of the method, with the places of all fields."""
    places = {name: getattr(Call, name).offset for name, *_ in Call._fields_}
    numbers = {
        "doubles": np.dtype(np.float64).num,
        "readable": READABLE,
        "float_value": _FLOAT_VALUE,
        "few": _FEW,
    }
    text = files("symopt.lambdified").joinpath("call.ll").read_text(encoding="utf-8")
    return Template(text).substitute(places | numbers | OBJECTS | ARRAYS)


_FLOAT_VALUE = 16  # where CPython's floats have their double


def _floats_are_as_expected() -> bool:
    floats = (0.1, -3.5e200, np.float64(2.5))
    return all(ctypes.c_double.from_address(id(x) + _FLOAT_VALUE).value == x for x in floats)


def _wrapped(slow: _LongWay, names: Sequence[str], text: str) -> Callable[..., Any]:
    def lambdified(*values: Any, **named: Any) -> Any:
        return slow(*values, **named)

    assert isinstance(lambdified, FunctionType)
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(name, kind) for name in names]
    lambdified.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    lambdified.__doc__ = text
    return lambdified


def _documentation(
    names: Sequence[str], function: Function, expression: Any, limit: int | None
) -> str:
    size = len(function.formula.order())
    what = shown(expression) if limit is None or size <= limit else "redacted: it is long"
    return (
        "Created with symopt.lambdify: native code.\n\nSignature:\n\n"
        f"func({', '.join(names)})\n\nExpression:\n\n{what}\n"
    )
