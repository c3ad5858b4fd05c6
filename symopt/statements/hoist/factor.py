"""Sums over samples without what does not depend on the sample.

    T[k, j] sum= Q[k, i, j]*b[s, k, i]     becomes     S[k, i] sum= b[s, k, i]
                                                       T[k, j] sum= Q[k, i, j]*S[k, i]

which is K*d additions per sample instead of K*d*d products. Of a chain of adjoints only the last
may be a sum over samples: `D[s, j] sum= Q[i, j]*u[s, i]` with `T[j] sum= D[s, j]` is joined first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import sympy
from sympy import S

from symopt.primitives.operators import strong_product
from symopt.statements.build import used_reads
from symopt.statements.expression import replaced, symbols_of
from symopt.statements.hoist.needs import mentioned
from symopt.statements.hoist.peel import Peeled, Peeling, Test
from symopt.statements.hoist.program import Hoisted, Hoisting, sizes_of, unused
from symopt.statements.hoist.reach import Reach, runs
from symopt.statements.hoist.same import key_of
from symopt.statements.hoist.work import work
from symopt.statements.program import (
    Program,
    Read,
    Role,
    Statement,
    Tensor,
    count_of,
    moved_read,
    read_of,
)
from symopt.typed.ranges import greatest
from symopt.types import Integer, Range, depends_on, index

Judge = Callable[[Statement], Test]  # which expressions of a statement are finite for sure
_CORE = sympy.Dummy(real=True)


def factor(
    program: Program, options: Hoisting, judge: Judge
) -> tuple[Program, tuple[Hoisted, ...]]:
    """The program with its sums over samples taken of as little as possible, and what changed."""
    factoring = _Factoring(program, options, judge, dict(program.tensors))
    factoring.join()
    return factoring.result()


@dataclass(frozen=True, slots=True)
class _Sum:
    """A sum over samples taken apart.

    The core is added up over the sample and its own loops `inner`, for each point of the loops
    `kept`; the target is the sum of what is made of that over the loops `outer`.
    """

    statement: Statement
    sample: Range
    peeled: Peeled
    inner: tuple[Range, ...]
    kept: tuple[Range, ...]
    outer: tuple[Range, ...]
    key: object  # equal for equal sums of cores

    @property
    def drops(self) -> bool:
        """Whether the core needs fewer loops, so that there is less to do per sample."""
        return len(self.inner) + 1 < len(self.statement.loops)

    @property
    def fits(self) -> bool:
        """Whether the sum of the core has an element for each of the target."""
        places = (place.indices for place in self.statement.map)
        return frozenset[str]().union(*places) == {loop.index for loop in self.kept}


@dataclass(slots=True)
class _Factoring:
    program: Program
    options: Hoisting
    judge: Judge
    tensors: dict[str, Tensor]
    hoisted: list[Hoisted] = field(default_factory=list)
    names: dict[object, str] = field(default_factory=dict)  # of the sums of cores

    # ── chains of adjoints ───────────────────────────────────────────────────────────────────

    def join(self) -> None:
        """Put a tensor's statements in the place of the sum that alone reads it, if that pays."""
        readers = Counter(r.tensor for s in self.program.statements for r in s.reads)
        writers: dict[str, list[Statement]] = {}
        for statement in self.program.statements:
            writers.setdefault(statement.target, []).append(statement)
        given = {name for name in writers if name in self.program.outputs or readers[name] != 1}
        given |= {statement.target for statement in self.program.statements if statement.steps}
        removed: set[str] = set()
        statements: list[Statement] = []
        for statement in self.program.statements:
            pending = [statement]
            while pending:
                last = pending.pop(0)
                joined = self._joined(last, writers, given)
                if joined is None:
                    statements.append(last)
                else:
                    removed.add(joined[0])
                    pending = [*joined[1], *pending]
        kept = tuple(s for s in statements if s.target not in removed)
        self.program = replace(self.program, statements=kept)

    def _joined(
        self, reader: Statement, writers: Mapping[str, list[Statement]], given: set[str]
    ) -> tuple[str, list[Statement]] | None:
        """The tensor that a sum is of, and statements that do without it."""
        found = self.taken_apart(reader)
        if found is None or not isinstance(found.peeled.core, sympy.Symbol):
            return None
        read = next(r for r in reader.reads if r.symbol == found.peeled.core)
        name = read.tensor
        if name is None or name in given or not self._visits_all(reader, read):
            return None
        if not all(w.reduction in ("=", "sum") for w in writers.get(name, ())):
            return None
        joined = [_substituted(reader, found.peeled, read, w) for w in writers.get(name, ())]
        sums = [self.taken_apart(statement) for statement in joined]
        if not all(s is not None and (s.drops or s.fits) for s in sums):
            return None
        return (name, joined) if any(s is not None and s.drops for s in sums) else None

    def _visits_all(self, reader: Statement, read: Read) -> bool:
        """Whether a statement reads every element of a tensor once, and has no other loops."""
        assert read.tensor is not None
        ranges = {loop.index: loop for loop in reader.loops}
        names = [place.index or "" for place in read.map]
        shape = self.tensors[read.tensor].shape
        return sorted(names) == sorted(ranges) and all(
            ranges[name].lower.value == 0 and ranges[name].upper == size
            for name, size in zip(names, shape, strict=True)
        )

    # ── sums ─────────────────────────────────────────────────────────────────────────────────

    def taken_apart(self, statement: Statement) -> _Sum | None:
        """A sum over samples as a function of the sum of its core."""
        sample = self._sample(statement)
        if sample is None:
            return None
        reads = {read.symbol: read for read in statement.reads}
        moving = {s for s, read in reads.items() if sample.index in mentioned(read)}

        def free(part: sympy.Expr) -> bool:
            return moving.isdisjoint(symbols_of(part))

        finite = self.judge(statement)
        if free(statement.expression):
            peeled = _as_often(statement.expression, finite)
        else:
            peeled = Peeling(free, finite).of(statement.expression)
        rest = tuple(loop for loop in statement.loops if loop is not sample)
        ranges = {loop.index: loop for loop in rest}
        own = self._needed(symbols_of(peeled.core), reads, ranges)
        inner = tuple(loop for loop in rest if loop.index in own)
        others = symbols_of(peeled.outer(_CORE)) - {_CORE}
        places = frozenset[str]().union(*(place.indices for place in statement.map))
        beside = self._needed(others, reads, ranges) | places | (ranges.keys() - own)
        outer = depends_on(beside, ranges)
        kept = tuple(loop for loop in inner if loop.index in outer)
        where = tuple(inner.index(loop) for loop in kept)
        key = (key_of((sample, *inner), peeled.core, reads), where)
        left = tuple(loop for loop in rest if loop.index in outer)
        return _Sum(statement, sample, peeled, inner, kept, left, key)

    def _sample(self, statement: Statement) -> Range | None:
        """The loop over samples that a sum is over, if no other loop depends on it."""
        if statement.reduction != "sum" or statement.steps:
            return None
        bounds = (edge.indices for loop in statement.loops for edge in (loop.lower, loop.upper))
        moving = frozenset[str]().union(*bounds)
        for loop in statement.reduced:
            fixed = loop.lower.value == 0 and not loop.upper.indices | loop.upper.tensors
            if fixed and self.options.sampled(loop) and loop.index not in moving:
                return loop
        return None

    def _needed(
        self,
        symbols: Iterable[sympy.Symbol],
        reads: Mapping[sympy.Symbol, Read],
        ranges: Mapping[str, Range],
    ) -> frozenset[str]:
        """The loops, but for the sample, that some reads need."""
        indices = frozenset[str]().union(*(mentioned(reads[s]) for s in symbols))
        return depends_on(indices & ranges.keys(), ranges)

    def result(self) -> tuple[Program, tuple[Hoisted, ...]]:
        """The program with every sum of which something leaves in two steps."""
        sums = [self.taken_apart(statement) for statement in self.program.statements]
        counts = Counter(s.key for s in sums if s is not None)
        targets = Counter(s.statement.target for s in sums if s is not None)
        statements: list[Statement] = []
        for statement, found in zip(self.program.statements, sums, strict=True):
            steps: tuple[Statement, ...] | None = None
            if found is not None:
                common, alone = counts[found.key] > 1, targets[statement.target] == 1
                if self._pays(found, common, alone):
                    steps = self._in_two_steps(found)
            statements.extend(steps or (statement,))
        program = replace(self.program, statements=tuple(statements), tensors=self.tensors)
        return program, tuple(self.hoisted)

    def _pays(self, found: _Sum, common: bool, alone: bool) -> bool:
        """Whether two steps are less work, without more sums than the target has."""
        core = found.peeled.core
        numbers = work(found.peeled.outer(core)) > work(core)
        return found.drops or (
            found.fits and (common or bool(found.peeled.factors) or (numbers and alone))
        )

    def _in_two_steps(self, found: _Sum) -> tuple[Statement, ...] | None:
        """The sum of the core, if there is none yet, then what is made of it."""
        statement, core = found.statement, found.peeled.core
        if symbols_of(core):
            total, before = self._total(found)
            expression = found.peeled.outer(total.symbol)
        else:
            total, before = count_of(found.sample.upper), ()
            expression = found.peeled.outer(sympy.Mul(core, total.symbol))
        reads = used_reads(expression, (*statement.reads, total))
        after = replace(statement, loops=found.outer, expression=expression, reads=reads)
        steps = (*before, after)
        if not all(self._certain(step, statement) for step in steps):
            return None
        if before:
            name = self.names[found.key] = before[0].target
            self.tensors[name] = Tensor(name, self._shape(found.kept), Role.COMPUTED)
        made = steps[0]
        self.hoisted.append(
            Hoisted(made.target, made.loops, statement.target, statement.loops, statement.span)
        )
        return steps

    def _total(self, found: _Sum) -> tuple[Read, tuple[Statement, ...]]:
        """A read of the sum of the core, and the statement that computes it if it is new."""
        statement = found.statement
        places = tuple(index(loop.index) for loop in found.kept)
        if found.key in self.names:
            return read_of(self.names[found.key], places), ()
        name = unused(f"{statement.target}.sum", self.tensors)
        loops = tuple(x for x in statement.loops if x is found.sample or x in found.inner)
        core = found.peeled.core
        reads = used_reads(core, statement.reads)
        made = Statement(name, places, loops, "sum", core, reads, span=statement.span)
        return read_of(name, places), (made,)

    def _certain(self, step: Statement, source: Statement) -> bool:
        """Whether a step reads inside, also if a loop of its source that it lacks never ran."""
        dropped = [loop for loop in source.loops if loop not in step.loops]
        if all(runs(loop, self.options) for loop in dropped):
            return True
        reads = [read for read in step.reads if read in source.reads]
        return Reach(step.loops, self.tensors, sizes_of(self.program)).certain(reads)

    def _shape(self, loops: tuple[Range, ...]) -> tuple[Integer, ...]:
        ranges, below = {loop.index: loop for loop in loops}, sizes_of(self.program)
        return tuple(greatest(index(loop.index), ranges, below) + 1 for loop in loops)


def _as_often(expression: sympy.Expr, finite: Test) -> Peeled:
    """What is the same for every sample is the sum of 1, that many times."""
    if finite(expression):
        return Peeled(S.One, lambda part: sympy.Mul(part, expression), (expression,))
    return Peeled(S.One, lambda part: strong_product(part, expression), (expression,), False)


def _substituted(reader: Statement, peeled: Peeled, read: Read, writer: Statement) -> Statement:
    """What one statement of a tensor gives to the sum that reads it."""
    names = {place.index or "": at for place, at in zip(read.map, writer.map, strict=True)}
    others = {r.symbol: moved_read(r, names) for r in reader.reads if r != read}
    outer = replaced(
        peeled.outer(read.symbol),
        {**{s: r.symbol for s, r in others.items()}, read.symbol: writer.expression},
    )
    return replace(
        writer,
        target=reader.target,
        map=tuple(place.substitute(names) for place in reader.map),
        reduction="sum",
        expression=outer,
        reads=used_reads(outer, (*others.values(), *writer.reads)),
        span=reader.span,
    )
