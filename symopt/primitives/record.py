"""What is known about one primitive function: a record of data that every stage may read.

A record names its SymPy node, derivative, NumPy meaning, high-precision reference, domain and
lowering in one place; the engine holds no list of functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import sympy
from sympy.core.expr import AtomicExpr


class Constant(AtomicExpr):
    """A double that SymPy neither rounds, merges nor folds."""

    __slots__ = ("value",)
    is_commutative = True
    is_real = True

    value: float

    def __new__(cls, value: float) -> Constant:
        node = super().__new__(cls)
        node.value = float(value)
        return node

    def _hashable_content(self) -> tuple[Any, ...]:
        return (self.value.hex(),)

    def __getnewargs__(self) -> tuple[Any, ...]:
        return (self.value,)

    def _sympystr(self, printer: object) -> str:
        return repr(self.value)

    def _latex(self, printer: object) -> str:
        return f"{self.value:g}"


class Primitive(sympy.Expr):
    """Base of the SymPy nodes generated from records; SymPy never rewrites one."""

    __slots__ = ()
    is_commutative = True
    is_real = True
    record: ClassVar[Elementwise]

    def _eval_derivative(self, s: sympy.Symbol) -> sympy.Expr:
        changes = tuple(sympy.diff(argument, s) for argument in self.args)
        if not any(changes):
            return sympy.S.Zero
        if self.record.tangent is not None:
            return self.record.tangent(self.args, changes)
        partials = self.record.partials(*self.args)
        return sympy.Add(*(c * p for c, p in zip(changes, partials, strict=True)))


# ── lowerings: how native code computes a primitive, as values that `native/` acts on ────────


@dataclass(frozen=True, slots=True)
class Intrinsic:
    """An LLVM intrinsic overloaded on its type, such as `llvm.exp`."""

    name: str


@dataclass(frozen=True, slots=True)
class Libm:
    """A C library function of doubles, such as `log1p`."""

    name: str


@dataclass(frozen=True, slots=True)
class Expand:
    """An expression in other primitives, built after differentiation."""

    build: Callable[..., sympy.Expr]


@dataclass(frozen=True, slots=True)
class Builtin:
    """An operation the emitter knows by name: arithmetic, comparison, selection."""

    name: str


Lowering = Intrinsic | Libm | Expand | Builtin
Interval = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Elementwise:
    """Everything known about one function of scalars; calling the record builds its node.

    `partials(*args)` gives one SymPy expression per argument, written in a form that is stable
    wherever the function is. `tangent(args, changes)` replaces the sum of partials times changes
    where that sum would be wrong (a branch not taken, a strong zero). `reference(*arrays)` is the
    NumPy meaning for float64 and complex128 arrays; where `analytic` is false, its complex form is
    exact to first order only in the sense of the fixed subgradient (comparisons look at real
    parts). `precise` is the mpmath meaning. `finite` promises that value and partials are finite
    at all finite arguments, `faithful` that partials are finite wherever the value is, `passes_on`
    that the value is not finite wherever an argument is not. `domain` says, per argument, where
    tests sample. `constant` marks piecewise constant functions: their derivative is 0 everywhere.
    `standard` is the function in the terms of standard SymPy, for people to read; None where the
    expansion in `lower` will do.
    """

    name: str
    arity: int
    summary: str
    partials: Callable[..., tuple[sympy.Expr, ...]]
    reference: Callable[..., Any]
    lower: Lowering
    domain: tuple[Interval, ...]
    precise: Callable[..., Any] | None = None
    standard: Callable[..., Any] | None = None
    tangent: Callable[[tuple[Any, ...], tuple[Any, ...]], sympy.Expr] | None = None
    finite: bool = False
    faithful: bool = False
    passes_on: bool = False
    analytic: bool = True
    constant: bool = False
    public: bool = True
    arguments: tuple[str, ...] = ()
    defaults: tuple[float, ...] = ()  # values of the last arguments when a call leaves them out
    defined: str = "everywhere"  # where it is a number, in words
    kink: str = ""  # where it is not smooth, and what its derivative is there, in words
    infix: str | None = None
    node: type[Primitive] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        assert len(self.domain) == self.arity, self.name
        namespace = {"__slots__": (), "record": self, "__module__": __name__}
        object.__setattr__(self, "node", type(self.name, (Primitive,), namespace))

    def __call__(self, *arguments: sympy.Expr) -> sympy.Expr:
        assert len(arguments) == self.arity, self.name
        return self.node(*arguments)


def piecewise_constant(arity: int) -> Callable[..., tuple[sympy.Expr, ...]]:
    """The partials of a function whose derivative is 0 wherever it exists."""
    return lambda *arguments: (sympy.S.Zero,) * arity
