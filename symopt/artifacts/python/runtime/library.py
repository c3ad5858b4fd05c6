"""The shared library beside this module, and what its functions say."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Any

from symopt.artifacts.python.runtime.binding import Bound
from symopt.artifacts.python.runtime.errors import DataError, LibraryError, Mistake, ShapeError
from symopt.artifacts.python.runtime.lookups import refuse_lookups
from symopt.artifacts.python.runtime.specification import Specification

OVERLAP = 8  # a result would lie in what it is computed from: nothing was written
_OF_DATA = (2, 3)  # negative sizes, sizes too large
_OF_PLACES = {5: ShapeError, 6: DataError, 7: ShapeError}  # outside, not there yet, divided by 0
_LARGEST = 2**63 - 1


def load_library(loss: Specification, beside: str) -> ctypes.CDLL:
    """The shared library in the folder of a file."""
    suffixes = {"darwin": ("so", "dylib"), "win32": ("dll",)}.get(sys.platform, ("so",))
    paths = [Path(beside).resolve().with_name(f"{loss.stem}.{suffix}") for suffix in suffixes]
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        raise LibraryError(str(_missing_library(loss, paths[0])))
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        message = f"cannot load {path}: {error}"
        help = "it has to be of this kind of machine: `symopt compile --target ...`"
        raise LibraryError(str(Mistake(message, help=help))) from None
    build = getattr(library, f"{loss.stem}_build", None)
    if build is not None:
        build.restype = ctypes.c_char_p
    if build is None or build().decode() != loss.build:
        message = f"{path} is of another build than this module"
        help = f"keep what was compiled together: `symopt compile {loss.program}` writes both"
        raise LibraryError(str(Mistake(message, help=help)))
    return library


def _missing_library(loss: Specification, path: Path) -> Mistake:
    compiled = path.with_suffix(".o")
    if compiled.exists():
        command = f"`cc -shared -o {path.name} {compiled.name} -lm`"
        help = f"link it from {compiled.name}: {command} in {path.parent}"
    else:
        help = f"keep it beside this module, or compile again: `symopt compile {loss.program}`"
    return Mistake(f"there is no shared library {path}", help=help)


class Native:
    """The functions of a library on some data."""

    def __init__(self, loss: Specification, library: Any) -> None:
        self._loss = loss
        self._library = library
        self._arrays: dict[str, Any] = {}  # keeps them alive
        open_dims = [dim.name for dim in loss.dims if dim.compiled is None]
        self._data = _structure(len(open_dims), len(loss.data))
        self._open_dims = open_dims
        self.data = ctypes.byref(self._data)

    def give(self, bound: Bound) -> None:
        """Point to all data that there is."""
        for number, name in enumerate(self._open_dims):
            self._data.sizes[number] = min(bound.dims[name], _LARGEST)
        for number, data in enumerate(self._loss.data):
            if data.name in bound.arrays:
                array = self._arrays[data.name] = bound.arrays[data.name]
                self._data.arrays[number] = array.ctypes.data

    def check(self, bound: Bound) -> None:
        """Raise an error where data cannot be computed with; from then on it is trusted."""
        status = self.function("check")(self.data)
        if status in _OF_PLACES:
            refuse_lookups(self._loss, bound)
        self.succeed(status)
        self._data.checked = 1

    def function(self, name: str) -> Any:
        """A function of the library."""
        try:
            return getattr(self._library, f"{self._loss.stem}_{name}")
        except AttributeError:
            message = (
                f"the library has no function {self._loss.stem}_{name}: it is of another build"
            )
            help = f"compile again: `symopt compile {self._loss.program}`"
            raise LibraryError(str(Mistake(message, help=help))) from None

    def workspace(self, name: str) -> int:
        """How many bytes of workspace a function needs."""
        function = self.function(f"{name}_workspace")
        function.restype = ctypes.c_int64
        size = function(self.data)
        if size < 0:
            self.succeed(-size)
        return size

    def succeed(self, status: int) -> None:
        """Raise what a status says, if anything."""
        if status:
            message = self.function("message")
            message.restype = ctypes.c_char_p
            text = message(status).decode()
            error = LibraryError
            if status in _OF_DATA or status in _OF_PLACES:
                error = _OF_PLACES.get(status, DataError)
            raise error(str(Mistake(text)))


def _structure(sizes: int, arrays: int) -> Any:
    """What the library's functions know of data: sizes, pointers, and what may be relied upon."""
    fields: list[tuple[str, Any]] = [
        ("sizes", ctypes.c_int64 * sizes),
        ("arrays", ctypes.c_void_p * arrays),
        ("checked", ctypes.c_int64),
        ("finite", ctypes.c_int64),
    ]
    return type("loss_data", (ctypes.Structure,), {"_fields_": fields})()
