"""The functions of INTERFACE.md: which transformations of the program each one is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from symopt.derive.activity import leading_to
from symopt.derive.elementary import with_names
from symopt.derive.elements import element_loops
from symopt.derive.reverse import adjoint
from symopt.derive.shared_inverses import share_inverses
from symopt.derive.simplify import drop_dead
from symopt.statements.program import Program, Role, Statement, Tensor, read_of
from symopt.types import Integer, Range, constant, index

if TYPE_CHECKING:
    from symopt.derive.blocks import Columns
    from symopt.derive.hessian_blocks import Patched
    from symopt.derive.patches import Patch

# Derivatives forward are imported where they are needed: a gradient does without, and importing
# them takes a few hundredths of the time to it.


@dataclass(frozen=True, slots=True)
class Task:
    """A loss as statements: objective, cut, and what derivatives are by.

    That is all parameters, in the order of the flat vector, or else the parameters and float data
    that a caller names (`by`).
    """

    program: Program
    objective: str | None
    cut: tuple[str, ...]
    params: tuple[str, ...]
    samples: tuple[str, ...] = ()  # dims that samples may run over, preferred first
    squares: bool = False  # whether the objective is the plain sum of the cut's squares

    def by(self, wrt: tuple[str, ...] | None, of: str | None = None) -> Task:
        """The task with derivatives by other names, and with a definition in place of the cut.

        None leaves either as it is.
        """
        params = self.params if wrt is None else wrt
        return replace(self, params=params, cut=self.cut if of is None else (of,))

    def size(self, name: str) -> Integer:
        """How many elements a tensor has."""
        total = constant(1)
        for axis in self.program.tensors[name].shape:
            total = total * axis
        return total

    @property
    def offsets(self) -> dict[str, Integer]:
        """Where each name starts in the flat vector."""
        found, total = {}, constant(0)
        for name in self.params:
            found[name] = total
            total = total + self.size(name)
        return found

    @property
    def columns(self) -> Integer:
        """The length of the flat vector."""
        return sum((self.size(name) for name in self.params), constant(0))


def last_marked(program: Program, marked: tuple[str, ...], objective: str) -> tuple[str, ...]:
    """The cut: the marked tensors that reach the objective without passing another one."""
    needed = leading_to(program, (objective,), stop=marked)
    return tuple(name for name in marked if name in needed)


def direction(name: str) -> str:
    """The tensor that holds a parameter's part of a given direction."""
    return f"{name}.direction"


def weight(name: str) -> str:
    """The tensor that holds a cut tensor's given weights."""
    return f"{name}.weight"


def _seeded(task: Task, names: tuple[str, ...], rename: Callable[[str], str]) -> Program:
    seeds = {
        rename(name): Tensor(rename(name), task.program.tensors[name].shape, Role.SEED)
        for name in names
    }
    return task.program.extended((), seeds)


def _asking(
    program: Program, like: Task, names: tuple[str, ...], suffix: str, *more: Integer
) -> Program:
    """The program with the tensors `name.suffix` as outputs, zero where nothing reaches them."""
    outputs = tuple(f"{name}{suffix}" for name in names)
    missing = {
        output: Tensor(output, like.program.tensors[name].shape + more, Role.COMPUTED)
        for output, name in zip(outputs, names, strict=True)
        if output not in program.tensors
    }
    return replace(program.extended((), missing), outputs=outputs)


def value(task: Task) -> Program:
    """The objective."""
    assert task.objective is not None
    return replace(task.program, outputs=(task.objective,))


def _gradient(task: Task, program: Program, *, direct: bool = False) -> Program:
    assert task.objective is not None
    return adjoint(program, {task.objective: None}, task.params, direct=direct)


def grad(task: Task) -> Program:
    """The gradient, parameter by parameter."""
    # What changes by a single read has nothing in common with others: it is left in its place.
    named = with_names(task.program, task.params, least=2)
    return _asking(_gradient(task, named), task, task.params, ".bar")


def value_and_grad(task: Task) -> Program:
    """The objective, then the gradient."""
    assert task.objective is not None
    program = grad(task)
    return replace(program, outputs=(task.objective, *program.outputs))


def hvp(task: Task) -> Program:
    """The Hessian times a direction: the tangent of the adjoint."""
    from symopt.derive.forward import directional

    task = replace(task, program=with_names(task.program, task.params))
    program = _gradient(task, _seeded(task, task.params, direction))
    moved = directional(program, {name: direction(name) for name in task.params})
    return _asking(moved, task, task.params, ".bar.dot")


def hess(task: Task) -> Program:
    """The Hessian, the rows of each parameter together: the adjoint by columns."""
    from symopt.derive.forward import by_columns

    program = by_columns(_gradient(task, task.program), task.offsets, task.columns)
    return _asking(program, task, task.params, ".bar.dot", task.columns)


def hess_sparse(task: Task) -> Program:
    """The Hessian's entries that can be other than 0, patch by patch: `patches` says which."""
    return _hessian_patches(task).program


def _hessian_patches(task: Task) -> Patched:
    from symopt.derive.hessian_blocks import by_patches

    return by_patches(task.program, _gradient(task, task.program, direct=True), task.params)


def residuals(task: Task) -> Program:
    """The tensors of the cut."""
    return replace(task.program, outputs=task.cut)


def jac(task: Task) -> Program:
    """The Jacobian of the cut, its rows in the order of the residuals."""
    from symopt.derive.forward import by_columns

    return _rows(task, by_columns(task.program, task.offsets, task.columns), task.columns)


def jac_sparse(task: Task) -> Program:
    """The Jacobian of the cut in those columns that each row can reach: `sparsity` says which."""
    from symopt.derive.forward import by_blocks

    return _rows(task, by_blocks(task.program, task.params, task.cut), constant(0))


def residuals_and_jac(task: Task) -> Program:
    """The tensors of the cut, then its Jacobian."""
    return _after_residuals(task, jac(task))


def residuals_and_jac_sparse(task: Task) -> Program:
    """The tensors of the cut, then its Jacobian in the columns that each row can reach."""
    return _after_residuals(task, jac_sparse(task))


def _after_residuals(task: Task, program: Program) -> Program:
    return replace(program, outputs=(*task.cut, *program.outputs))


def sparsity(task: Task) -> Mapping[str, Columns]:
    """The columns that each tensor of the cut can reach, in terms of its indices."""
    from symopt.derive.blocks import Columns
    from symopt.derive.forward import columns_of

    found = columns_of(task.program, task.params, task.cut)
    return {name: found.get(name, Columns(())) for name in task.cut}


def _rows(task: Task, program: Program, unreached: Integer) -> Program:
    """The rows of the Jacobian as outputs: `unreached` zeros, where the cut does not change.

    A row is built where it is local to its sample, and written once it is complete.
    """
    for name in task.cut:
        if f"{name}.dot" in program.tensors:
            row = replace(program.tensors[f"{name}.dot"], name=f"{name}.row")
            loops, place = element_loops(program.tensors[name].shape)
            column = Range("column", constant(0), row.shape[-1])
            full = (*place, index(column.index))
            read = read_of(f"{name}.dot", full)
            copy = Statement(row.name, full, (*loops, column), "=", read.symbol, (read,))
            program = program.extended((copy,), {row.name: row})
    return _asking(program, task, task.cut, ".row", unreached)


def jvp(task: Task) -> Program:
    """The Jacobian of the cut times a direction."""
    from symopt.derive.forward import directional

    program = _seeded(task, task.params, direction)
    moved = directional(program, {name: direction(name) for name in task.params})
    return _asking(moved, task, task.cut, ".dot")


def vjp(task: Task) -> Program:
    """Weights of the cut times its Jacobian."""
    program = _seeded(task, task.cut, weight)
    back = adjoint(program, {name: weight(name) for name in task.cut}, task.params)
    return _asking(back, task, task.params, ".bar")


def _loss_adjoint(task: Task, program: Program, *, direct: bool = False) -> Program:
    """The derivative of the loss by the cut and by the parameters that it reads directly."""
    assert task.objective is not None
    return adjoint(program, {task.objective: None}, task.params, stop=task.cut, direct=direct)


def gnvp(task: Task) -> Program:
    """Jᵀ ∇²l J times a direction: tangent to the cut, ∇²l there, adjoint from the cut."""
    from symopt.derive.curvature import positive_curvature
    from symopt.derive.forward import directional

    task = replace(task, program=with_names(task.program, task.params))
    program = _loss_adjoint(task, _seeded(task, task.params, direction))
    moved = directional(program, {name: direction(name) for name in task.params})
    moved = positive_curvature(moved)
    seeds: dict[str, str | None] = {
        name: f"{name}.bar.dot" for name in task.cut if f"{name}.bar.dot" in moved.tensors
    }
    loss = _only(moved, task)
    back = adjoint(loss, seeds, task.params, suffix="back")
    joined = moved.extended(back.statements[len(loss.statements) :], back.tensors)
    return _asking(_added_up(joined, task), task, task.params, ".gnvp")


def _only(program: Program, task: Task) -> Program:
    """The statements of the loss itself, with the tensors of all."""
    own = {statement.target for statement in task.program.statements}
    return replace(program, statements=tuple(s for s in program.statements if s.target in own))


def _added_up(program: Program, task: Task) -> Program:
    """What comes back through the cut and the part that the loss reads directly, as one sum."""
    parts = {
        f"{name}{end}": f"{name}.gnvp" for name in task.params for end in (".back", ".bar.dot")
    }
    tensors = dict(program.tensors)
    for part, whole in parts.items():
        if part in tensors:
            tensors[whole] = replace(tensors.pop(part), name=whole)
    statements = tuple(
        replace(statement, target=parts.get(statement.target, statement.target))
        for statement in program.statements
    )
    return replace(program, statements=statements, tensors=tensors)


def gauss_newton(task: Task) -> Program:
    """The lower triangle of Jᵀ ∇²l J, and the gradient, from columns that are never stored."""
    from symopt.derive.curvature import positive_curvature
    from symopt.derive.forward import by_columns
    from symopt.derive.gauss_newton import lower_triangle

    program = _loss_adjoint(task, task.program)
    moved = positive_curvature(by_columns(program, task.offsets, task.columns))
    return lower_triangle(moved, task.cut, task.offsets, task.columns)


def gauss_newton_sparse(task: Task) -> Program:
    """The entries of Jᵀ ∇²l J that can be other than 0, patch by patch: `patches` says which."""
    from symopt.derive.curvature import positive_curvature

    return positive_curvature(_gauss_newton_patches(task).program)


def _gauss_newton_patches(task: Task) -> Patched:
    from symopt.derive.hessian_blocks import by_patches

    return by_patches(task.program, _loss_adjoint(task, task.program, direct=True), task.params)


def patches(task: Task, name: str) -> tuple[Patch, ...]:
    """The patches that `hess_sparse` or `gauss_newton_sparse` computes."""
    made = {"hess_sparse": _hessian_patches, "gauss_newton_sparse": _gauss_newton_patches}[name]
    return made(task).patches


def fisher(task: Task) -> Program:
    """The lower triangle of Σ g gᵀ, g the gradient of a sample's summand."""
    from symopt.derive.fisher import outer_products

    return outer_products(*_gradients_of_summands(task), task.columns)


def fisher_covariance(task: Task) -> Program:
    """The lower triangle of E (g - E g)(g - E g)ᵀ, g the gradient of a sample's summand."""
    from symopt.derive.fisher import covariance

    return covariance(*_gradients_of_summands(task), task.columns)


def _gradients_of_summands(task: Task) -> tuple[Program, tuple[str, ...]]:
    from symopt.derive.forward import by_columns

    program, summands = with_summands_of(task)
    return by_columns(program, task.offsets, task.columns), summands


def fisher_model(task: Task) -> Program:
    """The lower triangle of the Gauss-Newton matrix of the summands of a known likelihood."""
    from symopt.derive.fisher import check_canonical
    from symopt.derive.samples import TOTAL, with_total

    program = with_total(*with_summands_of(task))
    summed = replace(task, program=program, objective=TOTAL)
    check_canonical(program, _loss_adjoint(summed, program), task.cut, task.params)
    return replace(gauss_newton(summed), outputs=("curvature",))


def with_summands_of(task: Task) -> tuple[Program, tuple[str, ...]]:
    """The program with the tensors whose elements are the samples' summands, and their names."""
    from symopt.derive.samples import with_summands

    assert task.objective is not None
    residuals = task.cut if task.squares else ()
    return with_summands(task.program, task.objective, task.params, task.samples, residuals)


FUNCTIONS: Mapping[str, Callable[[Task], Program]] = {
    function.__name__: function
    for function in (
        value, grad, value_and_grad, hvp, hess, residuals, jac, jac_sparse, residuals_and_jac,
        residuals_and_jac_sparse, jvp, vjp, gnvp, gauss_newton, hess_sparse, gauss_newton_sparse,
        fisher, fisher_covariance, fisher_model,
    )
}  # fmt: skip


# Derivatives column by column, of which statements of fewer points would have as many columns.
COLUMNWISE = frozenset(
    {
        "hess",
        "hess_sparse",
        "jac",
        "jac_sparse",
        "residuals_and_jac",
        "residuals_and_jac_sparse",
        "gauss_newton",
        "gauss_newton_sparse",
        "fisher",
        "fisher_covariance",
        "fisher_model",
    }
)


def derive(task: Task, name: str) -> Program:
    """The statements of one function, by its name, with nothing it does not need."""
    return drop_dead(share_inverses(FUNCTIONS[name](task)))


def evaluation(task: Task, name: str) -> Program:
    """The statements that compute one definition."""
    return drop_dead(replace(task.program, outputs=(name,)))


def unreached(task: Task, of: str | None = None) -> tuple[str, ...]:
    """Names that the objective, or definition `of`, depends on, yet whose derivative is nowhere."""
    if of is None:
        reached = _gradient(task, task.program).tensors
    else:
        seeded = _seeded(task, (of,), weight)
        reached = adjoint(seeded, {of: weight(of)}, task.params).tensors
    depending = set(task.params) - set(unread(task, of))
    return tuple(name for name in task.params if name in depending and f"{name}.bar" not in reached)


def unread(task: Task, of: str | None = None) -> tuple[str, ...]:
    """Names that nothing reads on the way to the objective, or to definition `of`."""
    target = task.objective if of is None else of
    assert target is not None
    needed = leading_to(task.program, (target,))
    return tuple(name for name in task.params if name not in needed)
