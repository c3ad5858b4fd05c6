"""A computed tensor as one expression: its statements written out, loops as sums that stay sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy
from sympy import S

from symopt.derive.extremum import Greatest, Least
from symopt.derive.formula import Expression, element, formula, integer_formula
from symopt.derive.indices import Limit, adjoint_of, shown_name, unique_index
from symopt.diagnostics import DerivativeUnavailable, Diagnostic, Kind, Label
from symopt.primitives.standard import branches, exponential
from symopt.statements.expression import postorder
from symopt.statements.program import Program, Read, Role, Statement
from symopt.types import Integer, Range, constant

Places = tuple[Expression, ...]
MAX_SIZE = 20_000  # parts of an expression beyond which nobody reads it
MAX_DEPTH = 100  # SymPy recurses over the levels of an expression
MAX_CHAIN = 50  # and this module over tensors that read each other


@dataclass(frozen=True, slots=True)
class Solved:
    """A statement met at one element of its target: what its loops are there.

    `indices` gives every loop's index; `limits` are the loops still to be reduced over,
    outermost first; the statement counts where `conditions` hold, times `factor`.
    """

    indices: Mapping[str, Expression]
    limits: tuple[Limit, ...]
    conditions: tuple[Expression, ...]
    factor: Expression


class Inliner:
    """Writes out the tensors of one program. Every loop met has an index symbol of its own.

    `scope` holds the free indices; `seeds` gives, per seed tensor, the element at which it is 1.
    The tensors of `kept` are named, not written out; they map to the origin of their axes.
    """

    def __init__(
        self,
        program: Program,
        scope: tuple[Limit, ...],
        *,
        seeds: Mapping[str, Places] | None = None,
        kept: Mapping[str, tuple[Integer, ...]] | None = None,
    ) -> None:
        self.program = program
        self.seeds = seeds or {}
        self.kept = kept or {}
        self.scope = list(scope)  # grows by every loop, outer before inner
        self.statements: dict[str, list[Statement]] = {}
        self.winners: dict[str, Statement] = {}
        for statement in program.statements:
            self.statements.setdefault(statement.target, []).append(statement)
            if statement.winner is not None:
                self.winners[statement.winner.tensor] = statement
        self._loops = 0  # met so far: the number of the next one
        self._open: list[str] = []
        self._known: dict[tuple[str, Places], Expression] = {}
        self._measures: dict[Expression, tuple[int, int]] = {}

    def value(self, tensor: str, places: Places) -> Expression:
        """One element of a tensor."""
        role = self.program.tensors[tensor].role
        if role is Role.SEED:
            pairs = zip(places, self.seeds[tensor], strict=True)
            return sympy.Mul(*(sympy.KroneckerDelta(here, there) for here, there in pairs))
        if tensor in self.kept:
            return self._named(tensor, places)
        if role is not Role.COMPUTED:
            return element(tensor, places, integer=role is Role.INDICES)
        return self.body(tensor, places)

    def body(self, tensor: str, places: Places) -> Expression:
        """One element of a computed tensor, written out even where the tensor is kept."""
        if (tensor, places) not in self._known:
            self._known[tensor, places] = self._written_out(tensor, places)
        return self._known[tensor, places]

    def _named(self, tensor: str, places: Places) -> Expression:
        origin = (integer_formula(part, {}) for part in self.kept[tensor])
        return element(shown_name(tensor), tuple(map(sympy.Add, places, origin)))

    def _written_out(self, tensor: str, places: Places) -> Expression:
        if tensor in self.winners:
            what = "the derivative of a maximum or minimum over an index"
            raise _not_closed(what, self.winners[tensor])
        statements = self.statements.get(tensor, [])
        if tensor in self._open:
            raise _not_closed("a recurrence", statements[0])
        if len(self._open) > MAX_CHAIN:
            raise _too_large(statements[0])
        self._open.append(tensor)
        total = sympy.Add(*(self._term(statement, places) for statement in statements))
        self._open.pop()
        self._check_size(total, statements)
        return total

    def _term(self, statement: Statement, places: Places) -> Expression:
        """What one statement gives to the element of its target at `places`."""
        if statement.of_matrix:
            raise _not_closed("a function of a matrix", statement)
        shape = self.program.tensors[statement.target].shape
        solved = solve(statement, shape, places, self._loops)
        self._loops += len(statement.loops)
        self.scope += solved.limits
        known = {read.symbol: self._read(read, solved) for read in statement.reads}
        body = self._by_name(statement, solved, formula(statement.expression, known))
        body = self._decided(body)
        conditions = [c for c in map(self._decided, solved.conditions) if c is not S.true]
        match statement.reduction:
            case "=" | "sum":
                return self._sum(body * solved.factor, solved.limits, conditions)
            case "logsumexp":
                body = exponential(body) * solved.factor
                return sympy.log(self._sum(body, solved.limits, conditions))
            case "prod":
                return _reduce(sympy.Product, body, S.One, solved, conditions)
            case "max":
                return _reduce(Greatest, body, -sympy.oo, solved, conditions)
            case "min":
                return _reduce(Least, body, sympy.oo, solved, conditions)

    def _by_name(self, statement: Statement, solved: Solved, body: Expression) -> Expression:
        """With the value of a kept tensor named where its own slope holds it: 1 - p^2 for tanh."""
        for read in statement.reads:
            base = adjoint_of(read.tensor)
            if base is None or base not in self.kept or base in self._open:
                continue
            places = tuple(integer_formula(place, solved.indices) for place in read.map)
            value = self.body(base, places)
            if value.args and not isinstance(value, sympy.Indexed):
                body = body.xreplace({value: self._named(base, places)})
        return body

    def _read(self, read: Read, solved: Solved) -> Expression:
        places = tuple(integer_formula(place, solved.indices) for place in read.map)
        return places[0] if read.tensor is None else self.value(read.tensor, places)

    def _sum(
        self, body: Expression, limits: tuple[Limit, ...], conditions: list[Expression]
    ) -> Expression:
        """The sum over limits; deltas of a summed index select one term, constants go outside."""
        for limit in limits:
            index, first, last = limit
            chosen = _selected(body, index)
            if chosen is None or any(edge.has(index) for _, *edges in limits for edge in edges):
                continue
            delta, value = chosen
            body = body.xreplace({delta: S.One}).xreplace({index: value})
            limits = tuple(other for other in limits if other != limit)
            reached = [sympy.Ge(value, first), sympy.Lt(value, last + 1)]
            conditions = [c.xreplace({index: value}) for c in conditions]
            conditions += [c for c in map(self._decided, reached) if c is not S.true]
        indices = [index for index, _, _ in limits]
        within = [c for c in conditions if indices and c.has(*indices)]
        total = _where(within, body, S.Zero)
        for index, first, last in reversed(limits):
            constant, term = sympy.factor_terms(total).as_independent(index, as_Add=False)
            if term is S.One:
                total = constant * (last - first + 1)
            else:
                total = constant * sympy.Sum(term, (index, first, last))
        return _where([c for c in conditions if c not in within], total, S.Zero)

    def _decided(self, expression: Expression) -> Expression:
        """With the comparisons of indices that the limits of these decide."""
        found: dict[Expression, Expression] = {}
        for relation in expression.atoms(sympy.Ge, sympy.Gt, sympy.Le, sympy.Lt):
            if self._certain(relation):
                found[relation] = S.true
            elif self._certain(relation.negated):
                found[relation] = S.false
        return expression.xreplace(found) if found else expression

    def _certain(self, relation: Expression) -> bool:
        """Whether an inequality holds wherever indices are within their limits."""
        least = relation.gts - relation.lts
        if not least.is_integer:
            return False
        least = sympy.expand_mul(least - 1 if isinstance(relation, (sympy.Gt, sympy.Lt)) else least)
        for index, first, last in reversed(self.scope):
            slope = least.coeff(index)
            if slope.is_Integer and slope != 0:
                end = first if slope > 0 else last
                least = sympy.expand_mul(least - slope * index + slope * end)
        # What is left are sizes; an index in a product or inside a function decides nothing.
        if least.free_symbols & {index for index, _, _ in self.scope}:
            return False
        counts = (symbol for symbol in least.free_symbols if symbol.is_Symbol)
        sizes = {name: sympy.Dummy(integer=True, nonnegative=True) for name in counts}
        return least.xreplace(sizes).is_nonnegative is True

    def _check_size(self, expression: Expression, statements: list[Statement]) -> None:
        """Refuses what is too large to be written out, before SymPy spends its time on it."""
        for node in postorder(expression):
            if node not in self._measures:
                inner = [self._measures[part] for part in node.args]
                count = 1 + sum(parts for parts, _ in inner)
                depth = 1 + max((level for _, level in inner), default=0)
                self._measures[node] = count, depth
        count, depth = self._measures[expression]
        if count > MAX_SIZE or depth > MAX_DEPTH:
            raise _too_large(statements[0])


# ── the loops of a statement at one element of its target ────────────────────────────────────


def solve(
    statement: Statement, shape: tuple[Integer, ...], places: Places, first_number: int = 0
) -> Solved:
    """Which points of the loops reach the element at `places`.

    A place that is a loop index, shifted or negated at most, says what that index is; any other
    place leaves a Kronecker delta. Loops get index symbols numbered from `first_number`.
    """
    free = {
        loop.index: unique_index(loop.index, first_number + number)
        for number, loop in enumerate(statement.loops)
    }
    owner = {free[loop.index]: loop for loop in statement.loops}
    found: dict[Expression, Expression] = {}
    factor: Expression = S.One
    conditions: list[Expression] = []
    axes = sorted(zip(statement.map, shape, places, strict=True), key=lambda a: a[0].index is None)
    for place, extent, wanted in axes:
        here = integer_formula(place, free).xreplace(found)
        solution = _solution(here, wanted, {i: r for i, r in owner.items() if i not in found}, free)
        if solution is None:
            factor *= sympy.KroneckerDelta(here, wanted)
            continue
        index, value = solution
        found = {known: part.xreplace({index: value}) for known, part in found.items()}
        found[index] = value
        if not _covers(place, owner[index], extent):
            lower, upper = _edges(owner[index], free)
            conditions += [sympy.Ge(value, lower), sympy.Lt(value, upper)]
    limits: list[Limit] = []
    for index, loop in owner.items():
        if index not in found:
            lower, upper = (edge.xreplace(found) for edge in _edges(loop, free))
            limits.append((index, lower, upper - 1))
    indices = {name: index.xreplace(found) for name, index in free.items()}
    kept = tuple(condition.xreplace(found) for condition in conditions)
    return Solved(indices, tuple(limits), kept, factor.xreplace(found))


def _edges(loop: Range, indices: Mapping[str, Expression]) -> tuple[Expression, Expression]:
    return integer_formula(loop.lower, indices), integer_formula(loop.upper, indices)


def _solution(
    here: Expression,
    wanted: Expression,
    open_loops: Mapping[Expression, Range],
    free: Mapping[str, Expression],
) -> tuple[Expression, Expression] | None:
    """The loop that `here == wanted` determines, and its value; None if there is none."""
    edges = [edge for loop in open_loops.values() for edge in _edges(loop, free)]
    for index in open_loops:
        for sign in (1, -1):
            rest = here - sign * index
            if not here.has(index) or rest.has(index):
                continue
            value = sign * (wanted - rest)
            # A loop that this one bounds must not be needed to know this one.
            if not (value.has(*open_loops) and any(edge.has(index) for edge in edges)):
                return index, value
    return None


def _covers(place: Integer, loop: Range, extent: Integer) -> bool:
    """Whether the place, as the loop runs, is at every index of an axis."""
    ends = {place.substitute({loop.index: end}) for end in (loop.lower, loop.upper - 1)}
    return ends == {constant(0), extent - 1}


# ── reductions ───────────────────────────────────────────────────────────────────────────────


def _selected(
    body: Expression, index: sympy.Symbol
) -> tuple[sympy.KroneckerDelta, Expression] | None:
    """A delta that makes the body 0 wherever `index` differs from something, and that."""
    for delta in sorted(body.atoms(sympy.KroneckerDelta), key=str):
        for here, there in (delta.args, delta.args[::-1]):
            if here != index or there.has(index) or not there.free_symbols <= body.free_symbols:
                continue
            if body.xreplace({delta: S.Zero}) == 0:
                return delta, there
    return None


def _reduce(
    reduction: type[Expression],
    body: Expression,
    identity: Expression,
    solved: Solved,
    conditions: list[Expression],
) -> Expression:
    """A product, maximum or minimum over what is left."""
    deltas = (sympy.Eq(*delta.args) for delta in solved.factor.atoms(sympy.KroneckerDelta))
    inner = _where([*conditions, *deltas], body, identity)
    return reduction(inner, *reversed(solved.limits)) if solved.limits else inner


def _where(conditions: list[Expression], value: Expression, otherwise: Expression) -> Expression:
    return branches(sympy.And(*conditions), value, otherwise)


# ── diagnostics ──────────────────────────────────────────────────────────────────────────────


def _not_closed(what: str, statement: Statement) -> DerivativeUnavailable:
    labels = (Label(statement.span, "computed here"),) if statement.span else ()
    return DerivativeUnavailable(
        Diagnostic(
            Kind.DERIVATIVE,
            "not-closed",
            f"{what} has no closed form",
            labels,
            notes=("compiled derivatives do not need one",),
            help="bind data and use `problem.grad`",
        )
    )


def _too_large(statement: Statement) -> DerivativeUnavailable:
    labels = (Label(statement.span, "written out here"),) if statement.span else ()
    return DerivativeUnavailable(
        Diagnostic(
            Kind.DERIVATIVE,
            "too-large",
            "the expression is too large to be written out in one piece",
            labels,
            notes=("compiled derivatives share what is used more than once",),
            help="bind data and use `problem.grad`, or derive a single definition with `of=`",
        )
    )
