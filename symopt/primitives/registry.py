"""All primitives by name, gathered from the sibling modules."""

from __future__ import annotations

from types import MappingProxyType, ModuleType

from symopt.primitives import activation, elementary, operators, robust, rotation, special
from symopt.primitives.record import Elementwise

_MODULES: tuple[ModuleType, ...] = (operators, elementary, activation, special, rotation, robust)


def _gather() -> dict[str, Elementwise]:
    found: dict[str, Elementwise] = {}
    for module in _MODULES:
        for value in vars(module).values():
            if isinstance(value, Elementwise) and found.setdefault(value.name, value) is not value:
                raise ValueError(f"two primitives are named {value.name}")
    return found


PRIMITIVES = MappingProxyType(_gather())
