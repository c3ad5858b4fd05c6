"""The options of SymPy's `lambdify` that ask for something: accepted where that is what we do."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from symopt.lambdified import errors

_MODULES = ("math", "numpy", "scipy", "symopt")  # of double precision
_PRINTERS = ("LambdaPrinter", "NumPyPrinter", "PythonCodePrinter", "SciPyPrinter")


def check_options(modules: Any, printer: Any) -> None:
    """Refuses another library, another precision, and functions of the caller's."""
    several = isinstance(modules, list | tuple | set)
    for module in modules if several else (modules,):
        if module is None or (isinstance(module, dict) and not module):
            continue
        name = module.__name__ if isinstance(module, ModuleType) else module
        if isinstance(module, dict):
            help = "Python functions cannot be compiled; substitute them, or use `sympy.lambdify`"
            raise errors.bad_option("modules", sorted(module, key=str), help)
        if name not in _MODULES:
            help = f"symopt computes in double precision, like {', '.join(_MODULES[:3])}"
            raise errors.bad_option("modules", name, help)
    if printer is not None:
        kind = printer if isinstance(printer, type) else type(printer)
        settings = getattr(printer, "_settings", {})
        if kind.__name__ not in _PRINTERS or settings.get("user_functions"):
            help = "there is no source code to print: leave `printer` out"
            raise errors.bad_option("printer", kind.__name__, help)
