"""Elements of buffers whose values are at hand, so that they are not read from memory again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from symopt.native.text import Value
from symopt.types import Integer, Monomial

_Base = tuple[tuple[Monomial, int], ...]


@dataclass(slots=True)
class Known:
    """Values by buffer and position; positions that differ by a number are different elements."""

    values: dict[str, dict[_Base, dict[int, Value]]] = field(default_factory=dict)

    def get(self, name: str, position: Integer) -> Value | None:
        base, number = _split(position)
        return self.values.get(name, {}).get(base, {}).get(number)

    def put(self, name: str, position: Integer, value: Value) -> None:
        base, number = _split(position)
        self.values.setdefault(name, {}).setdefault(base, {})[number] = value

    def forget(self, name: str, position: Integer | None = None) -> None:
        """Drops the elements of a buffer that may be the one at a position, or all of them."""
        if name not in self.values:
            return
        if position is None:
            del self.values[name]
            return
        base, number = _split(position)
        same = self.values[name].get(base, {})
        same.pop(number, None)
        self.values[name] = {base: same}

    def numbered(self, name: str) -> list[tuple[int, Value]]:
        """The elements of a buffer whose positions are numbers."""
        return list(self.values.get(name, {}).get((), {}).items())

    def of(self, kept: Callable[[str], bool]) -> Known:
        """Those of some buffers."""
        return Known(
            {
                name: {base: dict(found) for base, found in bases.items()}
                for name, bases in self.values.items()
                if kept(name)
            }
        )


def _split(position: Integer) -> tuple[_Base, int]:
    """A position as what it depends on and a number."""
    terms = position.terms
    if terms and not terms[-1][0]:  # the constant goes last
        return terms[:-1], terms[-1][1]
    return terms, 0
