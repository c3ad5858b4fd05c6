"""The weight of one point in a reduction: what a change of its expression does to the target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sympy

from symopt.derive.matrices import slope_of_matrix
from symopt.primitives import operators
from symopt.primitives.record import Constant
from symopt.primitives.registry import PRIMITIVES
from symopt.statements.build import used_reads
from symopt.statements.expression import replaced
from symopt.statements.program import Read, Role, Statement, Tensor, count_of, moved_read, read_of
from symopt.typed.ranges import greatest
from symopt.types import Clamp, Range, Step, atom, index

EXP = PRIMITIVES["exp"]
_MINUS_INFINITY = Constant(float("-inf"))
Times = Callable[[sympy.Expr, sympy.Expr], sympy.Expr]


@dataclass(frozen=True, slots=True)
class Weight:
    """ω as a function applied to a change, the reads it needs, and statements that must precede.

    ω is `factor`, and 0 where there is a `condition` that does not hold.
    """

    statement: Statement
    reads: tuple[Read, ...] = ()
    factor: sympy.Expr = sympy.S.One
    condition: sympy.Expr | None = None
    before: tuple[Statement, ...] = ()
    tensors: tuple[Tensor, ...] = ()

    def applied(self, change: sympy.Expr, times: Times = sympy.Mul) -> sympy.Expr:
        """ω·change, with a product that may treat zeros in its own way."""
        if change is sympy.S.Zero:
            return change
        if self.factor is not sympy.S.One:
            change = times(change, self.factor)
        if self.condition is not None:
            return operators.select(self.condition, change, operators.ZERO)
        return change


def weight_of(
    statement: Statement, tensors: dict[str, Tensor], suffix: str, *, stepwise: bool = True
) -> Weight:
    """The weight of a statement's reduction; `suffix` sets apart what a product needs.

    That is made step by step where it can be, unless not `stepwise`.
    """
    match statement.reduction:
        case "=" | "sum":
            return Weight(statement)
        case "max" | "min":
            assert statement.winner is not None
            place = count_of(statement.winner.position)
            winner = read_of(statement.winner.tensor, statement.map)
            condition = operators.equal(place.symbol, winner.symbol)
            return Weight(statement, (place, winner), condition=condition)
        case "logsumexp":
            total = read_of(statement.target, statement.map)
            share = EXP(statement.expression - total.symbol)
            # Where e = -inf, the share is 0 whatever the slope of e (inf, for a log of 0).
            present = operators.not_equal(statement.expression, _MINUS_INFINITY)
            return Weight(statement, (total,), share, present)
        case "prod":
            loop = _stepwise(statement) if stepwise else None
            if loop is not None:
                return _steps_weight(statement, loop, tensors, suffix)
            return _product_weight(statement, tensors, suffix)
        case _:
            slope = slope_of_matrix(statement, tensors, suffix)
            return Weight(
                statement,
                slope.reads,
                slope.factor,
                before=slope.before,
                tensors=slope.tensors,
            )


def _stepwise(statement: Statement) -> Range | None:
    """The loop of a product that can be gone through step by step, whatever the others are at."""
    if len(statement.reduced) != 1 or statement.steps:
        return None
    (loop,) = statement.reduced
    edges = (edge for other in statement.loops for edge in (other.lower, other.upper))
    own = loop.lower.indices | loop.upper.indices
    return None if own or any(loop.index in edge.indices for edge in edges) else loop


def _steps_weight(
    statement: Statement, loop: Range, tensors: dict[str, Tensor], suffix: str
) -> Weight:
    """The products of all factors before a point and after it: dividing is wrong at zeros."""
    others = tuple(other for other in statement.loops if other != loop)
    loops = (loop, *others)
    place = tuple(index(other.index) for other in loops)
    ranges = {other.index: other for other in loops}
    below = {t.name: t.below for t in tensors.values() if t.below is not None}
    shape = tuple(greatest(part, ranges, below) + 1 for part in place)
    made: list[Statement] = []
    found: list[Read] = []
    term = statement.expression
    pool = statement.reads
    if not isinstance(term, sympy.Symbol):
        name = f"{statement.target}.factor.{suffix}"
        tensors[name] = Tensor(name, shape, Role.COMPUTED)
        made.append(Statement(name, place, loops, "=", term, pool, span=statement.span))
        pool = (read_of(name, place),)
        term = pool[0].symbol
    for side, end, ahead in (("left", loop.lower, -1), ("right", loop.upper - 1, 1)):
        name = f"{statement.target}.{side}.{suffix}"
        there = index(loop.index) + ahead - loop.lower
        moved = {loop.index: atom(Clamp(there, loop.upper - loop.lower)) + loop.lower}
        reads = {read.symbol: moved_read(read, moved) for read in pool}
        factor = replaced(term, {s: read.symbol for s, read in reads.items()})
        so_far = read_of(name, tuple(part.substitute(moved) for part in place))
        here, last = count_of(index(loop.index)), count_of(end)
        body = operators.select(
            operators.equal(here.symbol, last.symbol), operators.ONE, so_far.symbol * factor
        )
        used = used_reads(body, (*reads.values(), so_far, here, last))
        made.append(
            Statement(
                name,
                place,
                loops,
                "=",
                body,
                used,
                steps=(Step(f"{name}.steps", ahead > 0),),
                span=statement.span,
            )
        )
        tensors[name] = Tensor(name, shape, Role.COMPUTED)
        found.append(read_of(name, place))
    left, right = found
    return Weight(
        statement, (left, right), left.symbol * right.symbol, before=tuple(made),
        tensors=tuple(tensors[one.target] for one in made),
    )  # fmt: skip


def _product_weight(statement: Statement, tensors: dict[str, Tensor], suffix: str) -> Weight:
    """The product of all other points: dividing by the point's own value is wrong at zeros."""
    name = f"{statement.target}.others.{suffix}"
    own = tuple(index(loop.index) for loop in statement.loops)
    ranges = {loop.index: loop for loop in statement.loops}
    below = {t.name: t.below for t in tensors.values() if t.below is not None}
    shape = tuple(greatest(place, ranges, below) + 1 for place in own)
    again = {loop.index: index(f"{loop.index}~") for loop in statement.reduced}
    copies = tuple(
        Range(f"{loop.index}~", loop.lower.substitute(again), loop.upper.substitute(again))
        for loop in statement.reduced
    )
    renamed = {r.symbol: moved_read(r, again) for r in statement.reads}
    expression = replaced(statement.expression, {s: r.symbol for s, r in renamed.items()})
    same: sympy.Expr = operators.ONE
    counts: list[Read] = []
    for loop in statement.reduced:
        here, there = count_of(index(loop.index)), count_of(again[loop.index])
        equal = operators.equal(here.symbol, there.symbol)
        same = equal if same is operators.ONE else operators.both(same, equal)
        counts += [here, there]
    body = operators.select(same, operators.ONE, expression)
    others = Statement(
        name,
        own,
        statement.loops + copies,
        "prod",
        body,
        used_reads(body, (*renamed.values(), *counts)),
        steps=statement.steps,
        span=statement.span,
    )
    read = read_of(name, own)
    tensor = Tensor(name, shape, Role.COMPUTED)
    return Weight(statement, (read,), read.symbol, before=(others,), tensors=(tensor,))
