"""Scalar expressions: SymPy trees of our primitives as IR instructions, shared parts once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import assert_never

import sympy

from symopt.native import maths
from symopt.native.text import FLAGS, FunctionText, Value
from symopt.primitives.record import Builtin, Constant, Expand, Intrinsic, Libm, Primitive
from symopt.statements.expression import postorder

_MOST_INLINED = 48
# What processors compute of floats as of doubles, rounded once; the others are library functions.
_EXACT = {"llvm.sqrt", "llvm.fabs", "llvm.floor", "llvm.ceil"}
_SMALLEST, _LARGEST = 2.0**-126, 2.0**128 - 2.0**104  # normal float
_COMPARISONS = {
    "less": "olt",
    "less_equal": "ole",
    "greater": "ogt",
    "greater_equal": "oge",
    "equal": "oeq",
    "not_equal": "une",
}


@dataclass(slots=True)
class ScalarEmitter:
    """Emits expressions in one function.

    `flags` are the fast-math flags of the arithmetic at hand: none inside the expansion of a
    primitive, which is exact in the order it is written.
    """

    text: FunctionText
    cpu: maths.Cpu = maths.COMMON
    flags: str = FLAGS
    inlined: int = 0  # elementary functions written out so far

    def emit(self, expression: sympy.Expr, symbols: Mapping[sympy.Symbol, Value]) -> Value:
        """The value of an expression, as a real number."""
        known: dict[sympy.Basic, Value] = {**symbols}
        self._walk(expression, known)
        return self.as_real(known[expression])

    def _walk(self, expression: sympy.Expr, known: dict[sympy.Basic, Value]) -> None:
        for node in postorder(expression):
            if node not in known:
                known[node] = self._node(node, known)

    def _node(self, node: sympy.Expr, known: dict[sympy.Basic, Value]) -> Value:
        text = self.text
        match node:
            case Constant():
                return text.number(node.value)
            case sympy.Integer():
                return text.number(float(int(node)))
            case sympy.Add():
                return self._sum(node, known)
            case sympy.Mul():
                return self._product(node, known)
            case sympy.Pow():
                return self.power(self.as_real(known[node.base]), int(node.exp))
            case Primitive():
                return self._primitive(node, known)
        raise AssertionError(f"{type(node).__name__} in a statement")

    def as_real(self, value: Value) -> Value:
        """A truth value as 0 or 1, an integer rounded; a real number as it is."""
        return self.text.as_real(value)

    def as_truth(self, value: Value) -> Value:
        """Whether a value is not 0."""
        if value.kind == "i1":
            return value
        return self.text.compare("fcmp une", self.as_real(value), self.text.number(0.0))

    def _sum(self, node: sympy.Expr, known: dict[sympy.Basic, Value]) -> Value:
        total: Value | None = None
        # Strong products last: added to something, each is one masked instruction.
        for part in sorted(node.args, key=_is_strong_product):
            total = self._added(total, part, known)
        assert total is not None
        return total

    def add(
        self, total: Value, expression: sympy.Expr, symbols: Mapping[sympy.Symbol, Value]
    ) -> Value:
        """A value plus an expression."""
        known: dict[sympy.Basic, Value] = {**symbols}
        self._walk(expression, known)
        return self._added(total, expression, known)

    def _added(
        self, total: Value | None, part: sympy.Basic, known: Mapping[sympy.Basic, Value]
    ) -> Value:
        text = self.text
        if total is None:
            return self.as_real(known[part])
        if not _is_strong_product(part):
            return text.operate("fadd", total, self.as_real(known[part]), flags=self.flags)
        a, b = (self.as_real(known[factor]) for factor in part.args)
        product = text.operate("fmul", a, b, flags="contract")
        counts = text.compare("fcmp une", a, text.number(0.0))
        return text.select(counts, text.operate("fadd", total, product, flags="contract"), total)

    def _product(self, node: sympy.Expr, known: dict[sympy.Basic, Value]) -> Value:
        negate = node.args[0] is sympy.S.NegativeOne
        total: Value | None = None
        for part in node.args[1:] if negate else node.args:
            value = self.as_real(known[part])
            total = (
                value
                if total is None
                else self.text.operate("fmul", total, value, flags=self.flags)
            )
        assert total is not None
        return self.negative(total) if negate else total

    def negative(self, value: Value) -> Value:
        return self.text.assign(
            f"fneg {self.flags} {self.text.type_of(value)} {value.text}", value.kind, value.wide
        )

    def power(self, base: Value, n: int) -> Value:
        """x^n by squaring."""
        text = self.text
        result: Value | None = None
        square, rest = base, abs(n)
        while rest:
            if rest & 1:
                result = (
                    square
                    if result is None
                    else text.operate("fmul", result, square, flags=self.flags)
                )
            rest >>= 1
            if rest:
                square = text.operate("fmul", square, square, flags=self.flags)
        one = text.number(1.0)
        if result is None:
            return one
        return result if n > 0 else text.operate("fdiv", one, result, flags=self.flags)

    def _primitive(self, node: Primitive, known: dict[sympy.Basic, Value]) -> Value:
        lowering = node.record.lower
        match lowering:
            case Expand(build):
                return self._expansion(sympy.sympify(build(*node.args)), known)
            case Builtin("integer_power"):
                base, exponent = node.args
                assert isinstance(exponent, sympy.Integer)
                return self.power(self.as_real(known[base]), int(exponent))
            case _:
                pass
        operands = [known[part] for part in node.args]
        match lowering:
            case Intrinsic(name) | Libm(name) if name in maths.FUNCTIONS:
                return self.elementary(name, self.as_real(operands[0]))
            case Intrinsic(name) if self.text.real == "double" or name in _EXACT:
                return self.text.intrinsic(name, *map(self.as_real, operands))
            case Intrinsic(name):
                with self.text.in_double():
                    found = self.text.intrinsic(name, *map(self.as_real, operands))
                return self.as_real(found)
            case Libm(name):
                return self.text.library_call(name, *map(self.as_real, operands))
            case Builtin(name):
                return _BUILTINS[name](self, *operands)
            case _:
                assert_never(lowering)

    def _expansion(self, node: sympy.Expr, known: dict[sympy.Basic, Value]) -> Value:
        """An expansion of a primitive, in the order it is written."""
        outer, self.flags = self.flags, ""
        if self.text.real == "double" or all(map(_fits_single, node.atoms(Constant))):
            self._walk(node, known)
            found = known[node]
        else:
            doubles = {k: v for k, v in known.items() if not isinstance(k, Constant)}
            with self.text.in_double():
                self._walk(node, doubles)
            found = self.as_real(doubles[node])
        self.flags = outer
        return found

    def elementary(self, name: str, x: Value) -> Value:
        """A function of our own: inline, or called once many are, for code has to stay small."""
        if self.inlined < _MOST_INLINED:
            self.inlined += 1
            return maths.elementary(name, self.text, self.cpu, x)
        return self.text.call_own(
            name.removeprefix("llvm."),
            x,
            lambda text, y: maths.elementary(name, text, self.cpu, y),
        )

    # ── operations known by name ─────────────────────────────────────────────────────────────

    def comparison(self, predicate: str) -> Callable[[Value, Value], Value]:
        def compare(a: Value, b: Value) -> Value:
            return self.text.compare(f"fcmp {predicate}", self.as_real(a), self.as_real(b))

        def exactly(a: Value, b: Value) -> Value:
            # Positions have more bits than a float.
            if not {a.kind, b.kind} & {"i64", "double"}:
                return compare(a, b)
            with self.text.in_double():
                return compare(a, b)

        return exactly

    def divide(self, a: Value, b: Value) -> Value:
        return self.text.operate("fdiv", self.as_real(a), self.as_real(b), flags=self.flags)

    def strong_product(self, a: Value, b: Value) -> Value:
        a, b = self.as_real(a), self.as_real(b)
        zero = self.text.number(0.0)
        # No flags: the product may be of 0 and infinity, and is then not used.
        product = self.text.operate("fmul", a, b)
        return self.text.select(self.text.compare("fcmp une", a, zero), product, zero)

    def choose(self, condition: Value, a: Value, b: Value) -> Value:
        return self.text.select(self.as_truth(condition), self.as_real(a), self.as_real(b))

    def logical(self, operation: str, *values: Value) -> Value:
        return self.text.operate(operation, *map(self.as_truth, values))

    def negation(self, value: Value) -> Value:
        return self.text.operate("xor", self.as_truth(value), Value("true", "i1"))

    def floor_divide(self, a: Value, b: Value) -> Value:
        return self.text.intrinsic(
            "llvm.floor", self.text.operate("fdiv", self.as_real(a), self.as_real(b))
        )

    def remainder(self, a: Value, b: Value) -> Value:
        """fmod, moved to the sign of the divisor."""
        text, zero = self.text, self.text.number(0.0)
        a, b = self.as_real(a), self.as_real(b)
        rest = text.operate("frem", a, b)
        below, negative = text.compare("fcmp olt", rest, zero), text.compare("fcmp olt", b, zero)
        other_sign = text.operate("xor", below, negative)
        inexact = text.compare("fcmp one", rest, zero)
        moved = text.operate("fadd", rest, b)
        return text.select(text.operate("and", other_sign, inexact), moved, rest)


def _fits_single(constant: Constant) -> bool:
    """Whether a constant is neither infinite nor 0 as a float where it is not as a double."""
    size = abs(constant.value)
    return not (0.0 < size < _SMALLEST or _LARGEST < size < math.inf)


def _is_strong_product(node: sympy.Basic) -> bool:
    return isinstance(node, Primitive) and node.record.lower == Builtin("smul")


_BUILTINS: dict[str, Callable[..., Value]] = {
    "divide": ScalarEmitter.divide,
    "smul": ScalarEmitter.strong_product,
    "select": ScalarEmitter.choose,
    "both": lambda self, a, b: self.logical("and", a, b),
    "either": lambda self, a, b: self.logical("or", a, b),
    "negation": ScalarEmitter.negation,
    "floor_divide": ScalarEmitter.floor_divide,
    "remainder": ScalarEmitter.remainder,
    "maximum": lambda self, a, b: self.text.intrinsic(
        "llvm.maximum", self.as_real(a), self.as_real(b)
    ),
    "minimum": lambda self, a, b: self.text.intrinsic(
        "llvm.minimum", self.as_real(a), self.as_real(b)
    ),
    **{
        name: (lambda self, a, b, predicate=predicate: self.comparison(predicate)(a, b))
        for name, predicate in _COMPARISONS.items()
    },
}
