"""Reverse mode: statements that carry the derivative of chosen tensors back to others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import sympy
from sympy import S

from symopt.derive.activity import (
    depending_on,
    finiteness_of,
    leading_to,
    real_reads,
    wild_tensors,
)
from symopt.derive.matrices import pull_matrix
from symopt.derive.reduction import weight_of
from symopt.derive.scalar import weights
from symopt.primitives.operators import strong_product
from symopt.primitives.record import Primitive
from symopt.statements.build import used_reads
from symopt.statements.expression import replaced
from symopt.statements.program import (
    Program,
    Read,
    Role,
    Statement,
    Tensor,
    read_of,
    sections,
)
from symopt.types import Range, Step, constant, index


def adjoint(
    program: Program,
    seeds: Mapping[str, str | None],
    wrt: Iterable[str],
    *,
    stop: Iterable[str] = (),
    suffix: str = "bar",
    direct: bool = False,
    stepwise: bool = True,
) -> Program:
    """The program followed by statements for Σ seed·∂(target)/∂(each tensor).

    `seeds` gives, per target, the tensor that weights it, or None for a weight of 1 (then the
    target is a scalar that nothing reads). The adjoint of tensor `x` is `x.bar`, of the shape of
    `x`; a tensor that the derivative does not reach has none. `stop` tensors are differentiated
    by, never through. With `direct`, adjoints are made of nothing but other adjoints and of tensors
    that do not depend on any; for functions of matrices that is more work. Unless `stepwise`, the
    other factors of a product are a product, for people to read, rather than recurrences.
    """
    given = set(stop)
    back = _Backward(
        program,
        suffix,
        active=depending_on(program, set(wrt) | given) & leading_to(program, seeds, given),
        given=given,
        wild=wild_tensors(program),
        tensors=dict(program.tensors),
        reached=set(seeds),
        direct=direct,
        stepwise=stepwise,
    )
    for target, seed in seeds.items():
        if seed is not None:
            back.statements.append(_copy(back.name_of(target), seed, back.tensors))
    units = {target for target, seed in seeds.items() if seed is None}
    for part in reversed(tuple(sections(program.statements))):
        if part[0].steps:
            back.pull_steps(part)
            continue
        (statement,) = part
        if back.carries(statement):
            back.pull(statement, unit=statement.target in units)
    return program.extended(tuple(back.statements), back.tensors)


@dataclass(slots=True)
class _Backward:
    """The statements of one adjoint as they are made, last statement of the program first."""

    program: Program
    suffix: str
    active: set[str]  # tensors on a path from what is differentiated by to a target
    given: set[str]  # tensors that are differentiated by, and not through
    wild: set[str]
    tensors: dict[str, Tensor]
    reached: set[str]  # tensors that have an adjoint
    direct: bool  # no tensors on the way from one adjoint to the next
    stepwise: bool
    statements: list[Statement] = field(default_factory=list)
    aside: set[str] = field(default_factory=set)  # what rules of matrices need on the way
    sources: set[str] = field(init=False)  # tensors whose adjoints are of use

    def __post_init__(self) -> None:
        self.sources = self.active | self.given

    def name_of(self, tensor: str) -> str:
        """The adjoint of a tensor."""
        name = f"{tensor}.{self.suffix}"
        shape = self.tensors[tensor].shape
        self.tensors.setdefault(name, Tensor(name, shape, Role.COMPUTED))
        return name

    def carries(self, statement: Statement) -> bool:
        """Whether the adjoint of a statement's target has something to add to its reads."""
        target = statement.target
        return target in self.active and target in self.reached and target not in self.given

    def pull_steps(self, part: tuple[Statement, ...]) -> None:
        """What adjoints of tensors that need each other add to what was read, last step first.

        What they add to anything else waits until all steps are done: it is a sum over them.
        """
        inside = {statement.target for statement in part}
        begun, known = len(self.statements), -1
        while known < len(self.reached):
            # Once more, if an adjoint has turned out to be there at earlier steps.
            known = len(self.reached)
            del self.statements[begun:]
            for statement in reversed(part):
                if self.carries(statement):
                    self.pull(statement)
        made, self.statements[begun:] = self.statements[begun:], []
        own = {self.name_of(name) for name in inside & self.reached} | self.aside
        after: list[Statement] = []
        for statement in made:
            if statement.target in own or statement.reduction != "sum":
                steps = tuple(self.reversed_step(step) for step in statement.steps)
                self.statements.append(replace(statement, steps=steps))
            else:
                after.append(replace(statement, steps=()))
        self.statements.extend(after)

    def reversed_step(self, step: Step) -> Step:
        return Step(f"{step.name}.{self.suffix}", not step.backward)

    def pull(self, statement: Statement, *, unit: bool = False) -> None:
        """What the adjoint of a statement's target, 1 if `unit`, adds to its reads."""
        bar = None if unit else read_of(self.name_of(statement.target), statement.map)
        if statement.of_matrix and not self.direct:
            self.pull_matrix(statement, bar)
            return
        weight = weight_of(statement, self.tensors, self.suffix, stepwise=self.stepwise)
        self.statements.extend(weight.before)
        self.tensors.update({tensor.name: tensor for tensor in weight.tensors})
        times = strong_product if statement.of_matrix else sympy.Mul
        root = weight.applied(S.One if bar is None else bar.symbol, times)
        wanted = real_reads(self.program, statement, self.sources)
        finiteness = finiteness_of(statement, self.wild)
        shares = weights(statement.expression, root, wanted, finiteness)
        known = read_of(statement.target, statement.map)
        pool = (*statement.reads, *weight.reads, known, *((bar,) if bar else ()))
        for read in statement.reads:
            share = shares.get(read.symbol)
            if share is None or read.tensor is None:
                continue
            self.reached.add(read.tensor)
            expression = _reusing(share, statement, known)
            self.statements.append(
                Statement(
                    self.name_of(read.tensor),
                    read.map,
                    statement.loops,
                    "sum",
                    expression,
                    used_reads(expression, pool),
                    steps=statement.steps,
                    span=statement.span,
                )
            )

    def pull_matrix(self, statement: Statement, bar: Read | None) -> None:
        """What the adjoint of a function of a matrix adds to the matrix."""
        (read,) = statement.reads
        if read.tensor is None or read.tensor not in self.sources:
            return
        self.reached.add(read.tensor)
        target = self.name_of(read.tensor)
        made = pull_matrix(statement, bar, target, self.suffix, self.tensors)
        self.aside |= {one.target for one in made} - {target}
        self.statements.extend(made)


def _reusing(share: sympy.Expr, statement: Statement, known: Read) -> sympy.Expr:
    """The share with the statement's own value read back instead of computed again."""
    if statement.reduction == "=" and isinstance(statement.expression, Primitive):
        return replaced(share, {statement.expression: known.symbol})
    return share


def _copy(target: str, seed: str, tensors: Mapping[str, Tensor]) -> Statement:
    loops = tuple(
        Range(f"a{axis}", constant(0), size) for axis, size in enumerate(tensors[target].shape)
    )
    place = tuple(index(loop.index) for loop in loops)
    read = read_of(seed, place)
    return Statement(target, place, loops, "sum", read.symbol, (read,))
