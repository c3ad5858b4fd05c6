"""SymPy's expressions become formulas: walked once over, iteratively, shared parts once.

Nodes of SymPy's are told apart by identity, never compared or hashed on the way: both recurse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import sympy
from sympy.core.function import AppliedUndef
from sympy.core.numbers import ImaginaryUnit
from sympy.matrices.expressions.matexpr import MatrixElement

from symopt.lambdified import errors, stable
from symopt.lambdified.formula import Formula, Total
from symopt.lambdified.functions import FUNCTIONS
from symopt.lambdified.nodes import Nodes
from symopt.lambdified.stable import Form
from symopt.primitives import operators
from symopt.primitives.record import Primitive
from symopt.statements.program import Read, count_of, read_of
from symopt.types import Integer, Range, constant, dim, index

Node = Any  # of SymPy's, which promises little about the attributes of its classes
_LARGEST_POWER = 32  # of those that are multiplied out; further up, `pow` is more accurate


class Translation:
    """Translates expressions over some arguments, all into one formula.

    `scalars` gives the tensors of arguments that are numbers, by expression (a symbol, or a
    function such as f(t)); `arrays` those of indexed ones.
    """

    def __init__(self, scalars: Mapping[Any, str], arrays: Mapping[Any, str]) -> None:
        self.nodes = Nodes()
        self._scalars, self._arrays = scalars, arrays
        self._by_name = _unique_names(scalars)
        self._with_functions = any(not argument.is_Symbol for argument in scalars)
        self._symbols: dict[sympy.Symbol, str] = {}
        self._reads: dict[sympy.Symbol, Read] = {}
        self._totals: dict[sympy.Symbol, Total] = {}
        self._known_totals: dict[sympy.Basic, sympy.Symbol] = {}
        self._whole: set[str] = set()
        self._indices: dict[sympy.Basic, str] = {}
        self._done: dict[int, sympy.Expr] = {}
        self._alive: list[sympy.Basic] = []  # what is known by its identity must not go

    def formula(self, roots: Iterable[sympy.Expr]) -> Formula:
        """The formula for what was translated."""
        return Formula(
            tuple(roots), self._symbols, self._reads, self._totals, frozenset(self._whole)
        )

    def of(self, expression: sympy.Basic) -> sympy.Expr:
        """An expression as our nodes."""
        done = self._done
        pending: list[tuple[sympy.Basic, Form | None]] = [(expression, None)]
        while pending:
            node, form = pending.pop()
            if id(node) in done:
                continue
            if form is None:
                self._alive.append(node)
                form = self._form(node)
                pending.append((node, form))
                pending.extend((part, None) for part in reversed(form.parts))
            else:
                done[id(node)] = form.build(*(done[id(part)] for part in form.parts))
        return done[id(expression)]

    def _form(self, node: Node) -> Form:
        """How one node is computed."""
        name = self._argument(node)
        if name is not None:
            return self._leaf(self._scalar(name))
        if node in _TRUTHS:
            return self._leaf(self.nodes.constant(float(bool(node))))
        if node.is_Number or node.is_NumberSymbol or node is sympy.zoo or _is_constant(node):
            return self._leaf(self.nodes.constant(_number(node)))
        rule = next((self._RULES[kind] for kind in type(node).__mro__ if kind in self._RULES), None)
        if rule is not None:
            return rule(self, node)
        build = FUNCTIONS.get(type(node))
        if build is None:
            raise _refusal(node)
        return Form(node.args, lambda *parts: build(self.nodes, *parts))

    def _leaf(self, node: sympy.Expr) -> Form:
        return Form((), lambda: node)

    # ── arguments ────────────────────────────────────────────────────────────────────────────

    def _argument(self, node: Node) -> str | None:
        """The tensor of an argument: by identity, or a symbol of the same name."""
        if not node.is_Symbol:
            wanted = self._with_functions and isinstance(node, _APPLIED)
            return self._scalars.get(node) if wanted else None
        if node in self._indices:
            return None
        found = self._scalars.get(node)
        if found is None and not isinstance(node, sympy.Dummy):
            return self._by_name.get(str(node))
        return found

    def _scalar(self, name: str) -> sympy.Expr:
        symbol = sympy.Symbol(name, real=True)
        self._symbols[symbol] = name
        return self.nodes.symbol(symbol)

    def _symbol(self, node: Node) -> Form:
        if node in self._indices:
            return self._leaf(self._read(count_of(index(self._indices[node]))))
        known = [str(argument) for argument in (*self._scalars, *self._arrays)]
        raise errors.unknown_symbol(node, known)

    def _read(self, read: Read) -> sympy.Expr:
        self._reads[read.symbol] = read
        return self.nodes.symbol(read.symbol)

    def _element(self, node: Any) -> Form:
        """An element of an array that is an argument."""
        array, *places = (node.base, *node.indices) if node.is_Indexed else node.args
        name = self._arrays.get(array, self._arrays.get(getattr(array, "label", None)))
        if name is None:
            known = [str(argument) for argument in (*self._scalars, *self._arrays)]
            raise errors.unknown_symbol(array, known)
        found = []
        for place in places:
            value = self._integer(place)
            if value is None or value.dims:
                raise errors.bad_index(place, node)
            found.append(value)
        return self._leaf(self._read(read_of(name, tuple(found))))

    # ── arithmetic ───────────────────────────────────────────────────────────────────────────

    def _sum(self, node: Node) -> Form:
        found = stable.difference(self.nodes, node)
        return found or Form(node.args, self.nodes.add)

    def _product(self, node: Node) -> Form:
        """A fraction: the factors with negative powers are what is divided by."""
        coefficient, factors = _coefficient(node)
        pieces: list[tuple[Form, bool]] = []
        found = stable.quotient(factors)
        if found is not None:
            sigmoid, factors = found
            form = Form((sigmoid.exponent,), lambda z: sigmoid.build(self.nodes, z))
            pieces.append((form, False))
        for factor in factors:
            if isinstance(factor, sympy.Pow) and factor.exp.is_Number and factor.exp < 0:
                pieces.append((self._power_of(factor.base, -factor.exp), True))
            else:
                pieces.append((Form((factor,), lambda part: part), False))
        parts = tuple(part for form, _ in pieces for part in form.parts)
        return Form(parts, lambda *values: self._fraction(coefficient, pieces, values))

    def _fraction(
        self,
        coefficient: Node,
        pieces: list[tuple[Form, bool]],
        values: tuple[sympy.Expr, ...],
    ) -> sympy.Expr:
        nodes, rest = self.nodes, list(values)
        over: list[sympy.Expr] = []
        under: list[sympy.Expr] = []
        for form, below in pieces:
            taken, rest = rest[: len(form.parts)], rest[len(form.parts) :]
            (under if below else over).append(form.build(*taken))
        negative = coefficient == -1
        if coefficient != 1 and not negative:
            over.insert(0, nodes.constant(_number(coefficient)))
        result = nodes.multiply(*over) if over else nodes.constant(1.0)
        if under:
            result = nodes.divide(result, nodes.multiply(*under))
        return nodes.negative(result) if negative else result

    def _power(self, node: Node) -> Form:
        found = stable.quotient((node,))
        if found is not None:
            return Form((found[0].exponent,), lambda z: found[0].build(self.nodes, z))
        return self._power_of(node.base, node.exp)

    def _power_of(self, base: Node, exponent: Node) -> Form:
        nodes = self.nodes
        if base is sympy.E:
            return Form((exponent,), lambda z: nodes.call("exp", z))
        twice = _doubled(exponent)
        if twice is not None and abs(twice) <= 2 * _LARGEST_POWER:
            n, half = divmod(abs(twice), 2)
            return Form((base,), lambda x: self._multiplied(x, n, half, twice < 0))
        return Form((base, exponent), lambda x, y: nodes.apply(operators.power, x, y))

    def _multiplied(self, x: sympy.Expr, n: int, half: int, inverse: bool) -> sympy.Expr:
        nodes = self.nodes
        result = nodes.power(x, n)
        if half:
            root = nodes.call("sqrt", x)
            result = nodes.multiply(result, root) if n else root
        return nodes.divide(nodes.constant(1.0), result) if inverse else result

    def _logarithm(self, node: Node) -> Form:
        found = stable.logarithm(self.nodes, node.args[0])
        return found or Form(node.args, lambda x: self.nodes.call("log", x))

    def _polygamma(self, node: Node) -> Form:
        order, argument = node.args
        if not (order.is_Integer and order >= 0):
            raise errors.unsupported(node, "the order must be a constant integer")
        return Form((argument,), lambda x: self.nodes.polygamma(int(order), x))

    def _piecewise(self, node: Node) -> Form:
        parts = tuple(part for pair in node.args for part in pair.args)
        return Form(parts, self._choice)

    def _choice(self, *parts: sympy.Expr) -> sympy.Expr:
        """The first value whose condition holds; nan where none does."""
        result = self.nodes.constant(float("nan"))
        for value, condition in reversed(list(zip(parts[::2], parts[1::2], strict=True))):
            certain = condition is self.nodes.constant(1.0)
            result = value if certain else self.nodes.select(condition, value, result)
        return result

    def _own(self, node: Node) -> Form:
        """A node that is one of ours already."""
        return Form(node.args, lambda *parts: self.nodes.apply(node.record, *parts))

    # ── sums and products over indices ───────────────────────────────────────────────────────

    def _total(self, node: Any) -> Form:
        """A sum or product: a symbol, computed by a loop of its own."""
        known = self._known_totals.get(node)
        if known is not None:
            return self._leaf(self.nodes.symbol(known))
        *inner, (variable, low, high) = node.limits
        lower, upper = self._bound(low, node), self._bound(high, node)
        own = sympy.Dummy(variable.name, integer=True)
        body = node.function if not inner else type(node)(node.function, *inner)
        number = len(self._totals)
        self._indices[own] = f"k{number}"
        symbol = sympy.Symbol(f"s{number}", real=True)
        self._known_totals[node] = symbol
        loop = Range(f"k{number}", lower, upper + 1)
        kind = "sum" if isinstance(node, sympy.Sum) else "prod"
        self._totals[symbol] = Total(kind, loop, self.nodes.constant(0.0))
        moved = body.xreplace({variable: own})
        return Form((moved,), lambda inside: self._closed(symbol, Total(kind, loop, inside)))

    def _closed(self, symbol: sympy.Symbol, total: Total) -> sympy.Expr:
        self._totals[symbol] = total
        return self.nodes.symbol(symbol)

    def _bound(self, limit: Node, total: Node) -> Integer:
        found = self._integer(limit)
        if found is None:
            raise errors.bad_bound(limit, total)
        return found

    def _integer(self, value: Node) -> Integer | None:
        """An integer expression of numbers, indices and scalar arguments."""
        if value.is_Integer:
            return constant(int(value))
        if value.is_Symbol:
            if value in self._indices:
                return index(self._indices[value])
            name = self._argument(value)
            if name is None:
                return None
            self._whole.add(name)
            return dim(name)
        if not isinstance(value, sympy.Add | sympy.Mul):
            return None
        total = constant(0 if isinstance(value, sympy.Add) else 1)
        for part in value.args:
            one = self._integer(part)
            if one is None:
                return None
            total = total + one if isinstance(value, sympy.Add) else total * one
        return total

    _RULES: ClassVar[Mapping[type, Callable[[Any, Any], Form]]] = {
        sympy.Add: _sum,
        sympy.Mul: _product,
        sympy.Pow: _power,
        sympy.log: _logarithm,
        sympy.polygamma: _polygamma,
        sympy.Piecewise: _piecewise,
        sympy.Sum: _total,
        sympy.Product: _total,
        sympy.Symbol: _symbol,
        sympy.Indexed: _element,
        MatrixElement: _element,
        Primitive: _own,
    }


_TRUTHS = (sympy.true, sympy.false)
_APPLIED = (sympy.Function, sympy.Derivative)
_UNEVALUATED = (sympy.Derivative, sympy.Integral, sympy.Limit, sympy.Subs)


def _unique_names(scalars: Mapping[Any, str]) -> dict[str, str]:
    """Tensors by the names of symbols: `Symbol("x")` also means `Symbol("x", real=True)`."""
    named = [one for one in scalars if one.is_Symbol and not isinstance(one, sympy.Dummy)]
    counts = Counter(map(str, named))
    return {str(one): scalars[one] for one in named if counts[str(one)] == 1}


def _refusal(node: Node) -> Exception:
    """Why there is no form for a node."""
    if isinstance(node, _UNEVALUATED):
        return errors.unevaluated(node)
    if isinstance(node, ImaginaryUnit):
        return errors.not_real(node)
    if isinstance(node, AppliedUndef):
        implemented = hasattr(node, "_imp_")
        help = "a Python function cannot be compiled" if implemented else "pass it as an argument"
        return errors.unsupported(node, help)
    return errors.unsupported(node)


def _coefficient(product: Node) -> tuple[Node, tuple[Node, ...]]:
    first, *rest = product.args
    if first.is_Rational:
        return first, tuple(rest)
    return sympy.S.One, product.args


def _doubled(exponent: Node) -> int | None:
    """Twice the exponent, where that is an integer."""
    if not (exponent.is_Number and exponent.is_finite):
        return None
    twice = 2 * exponent
    return int(twice) if twice == int(twice) else None


def _is_constant(node: Node) -> bool:
    """A function or power of numbers: one number, and known better than by computing it."""
    if not (
        isinstance(node, sympy.Pow) or (type(node) in FUNCTIONS and isinstance(node, sympy.Expr))
    ):
        return False
    return bool(node.args) and all(part.is_Number or part.is_NumberSymbol for part in node.args)


def _number(node: Node) -> float:
    """The nearest double."""
    if node is sympy.zoo:
        return float("nan")
    try:
        if isinstance(node, sympy.Rational) and not node.is_infinite:
            return node.p / node.q
        return float(sympy.N(node, 30))
    except OverflowError:
        return float("-inf") if node.is_negative else float("inf")
    except TypeError:
        raise errors.not_real(node) from None
