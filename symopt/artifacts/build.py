"""From a model to its interface, and from that to object code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from symopt.artifacts.entries.checks import check_kernels, checks_of_setup
from symopt.artifacts.entries.emit import emit_entries
from symopt.artifacts.entries.running import Variant, kernel_symbol
from symopt.artifacts.interface import (
    Entry,
    Field,
    Interface,
    Operand,
    Part,
    Shape,
    identifier,
    in_numbers,
    product,
)
from symopt.artifacts.python.importing import emit_import
from symopt.binding import setup_values
from symopt.call_errors import no_cut, unknown_definition
from symopt.calls import SIGNATURES, Signature
from symopt.compiler import Request, Stages, plan, scheduled
from symopt.derive.functions import direction, weight
from symopt.derive.simplify import drop_dead
from symopt.diagnostics import DataError, DerivativeUnavailable
from symopt.kernels import check_reached
from symopt.loops.axis import open_dims
from symopt.loops.program import Kernel
from symopt.loops.sizes import Fixed
from symopt.model import Model
from symopt.native.emit import emit_module
from symopt.native.jit import effort_for, optimized
from symopt.native.targets import LEVELS, QUICKLY, Target, capabilities, level_of, machine
from symopt.precision import Precision
from symopt.statements.program import Program
from symopt.typed import program as typed
from symopt.typed.packing import Pattern, positions_name
from symopt.types import Integer, constant

if TYPE_CHECKING:
    from llvmlite.binding import ModuleRef

# Those that C callers can be given: of the rest, only the compiler knows where entries stand.
OFFERED = tuple(
    name for name, one in SIGNATURES.items() if not any("e" in axes for axes in one.results)
)
_ALIASES = {"gn": "gauss_newton"}
_SUMMARIES = {
    "value": "the objective",
    "grad": "the gradient of the objective",
    "value_and_grad": "the objective and its gradient, in one pass",
    "hvp": "the Hessian times a direction v",
    "hess": "the Hessian, n x n",
    "residuals": "the residuals, or the model's outputs",
    "jac": "the Jacobian of the residuals, m x n",
    "residuals_and_jac": "the residuals and their Jacobian, in one pass",
    "jvp": "the Jacobian times a direction v",
    "vjp": "weights u of the residuals times the Jacobian",
    "gauss_newton": "the Gauss-Newton matrix J' H J, n x n, and the gradient",
    "gnvp": "the Gauss-Newton matrix times a direction v",
    "fisher": "the empirical Fisher matrix, n x n: squares of the gradients of samples, summed",
    "fisher_covariance": "the same of gradients less their mean, n x n",
    "fisher_model": "the Fisher matrix of the model, n x n",
}
_RESULTS = {"value_and_grad": ("value", "grad"), "gauss_newton": ("curvature", "grad")}
_RESULTS["residuals_and_jac"] = ("residuals", "jac")


def default_functions(model: Model) -> tuple[str, ...]:
    """What is compiled where nobody says: everything that people ask a problem for."""
    task = model.stages.task
    of_loss = ("value", "grad", "value_and_grad", "hvp", "hess") if task.objective else ()
    through = ("residuals", "jac") if task.cut else ()
    return (*of_loss, *through, *(("gauss_newton",) if task.cut and task.objective else ()))


def interface_of(
    model: Model,
    stem: str,
    functions: Sequence[str] | None = None,
    sizes: Mapping[str, int] | None = None,
    precision: Precision = "float64",
) -> Interface:
    """What compiled code of a model offers: `functions` by name, definitions among them.

    The `sizes` are compiled in. Raises DataError for names that are none, DerivativeUnavailable for
    derivatives that do not exist.
    """
    return _Planner(model, dict(sizes or {}), precision).interface(stem, functions)


class _Planner:
    """Plans the kernels of an interface."""

    def __init__(self, model: Model, sizes: dict[str, int], precision: Precision) -> None:
        self.model, self.stages, self.sizes = model, model.stages, sizes
        self.precision: Precision = precision
        self.options = model.options
        self.fixed = self._fixed()
        self.taken: set[str] = set()  # names of functions made of those of definitions and data

    def _symbol(self, name: str) -> str:
        """The name, or one like it that no function has, nor the workspace of one."""
        while {name, f"{name}_workspace"} & self.taken:
            name += "_"
        self.taken |= {name, f"{name}_workspace"}
        return name

    @property
    def program(self) -> typed.Program:
        return self.stages.program

    def interface(self, stem: str, functions: Sequence[str] | None) -> Interface:
        names = default_functions(self.model) if functions is None else self._named(functions)
        entries = [*map(self._entry, names), *self._starts(), *self._bounds(), *self._defaults()]
        return Interface(
            stem,
            self.program,
            self.sizes,
            self.precision,
            tuple(map(self._field, self.program.data.values())),
            tuple(entries),
            check_kernels(self.stages, self.fixed, self.options),
            {name: self._shape(name) for name in self.stages.task.cut},
            self._draws(),
        )

    def _fixed(self) -> Fixed:
        """What is compiled in: as for data of these sizes, whose integers are not known, though."""
        patterns = {
            positions_name(param.name): Pattern(param.packing, side).positions
            for param in self.program.params.values()
            if param.packing is not None
            and (side := in_numbers(param.shape[-1], self.sizes).value) is not None
        }
        program = self.stages.task.program
        found = self.model.fixed_by(self.sizes, patterns)
        # A group is taken to have several samples, as those that are worth the name have.
        groups = (tensor.name for tensor in program.tensors.values() if tensor.below is not None)
        samples = open_dims(program, self.options.sample)
        hoisting = replace(found.hoisting, samples=samples, groups=frozenset(groups))
        return replace(found, hoisting=hoisting)

    # ── functions of the loss ────────────────────────────────────────────────────────────────

    def _named(self, functions: Sequence[str]) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(_ALIASES.get(name, name) for name in functions))
        for name in names:
            if name not in OFFERED and name not in self.model.definitions:
                raise DataError(unknown_definition(name, (*OFFERED, *self.model.definitions)))
        return names

    def _entry(self, name: str) -> Entry:
        if name not in OFFERED:
            return self._definition(name)
        signature = SIGNATURES[name]
        self._check(name, signature)
        kernel = plan(self.stages, self._request(name), self.options).kernel
        groups = self._results(kernel, signature)
        names = _RESULTS.get(name, (name,))
        outputs = tuple(
            Operand(result, _parts(kernel, outputs), tuple(map(self._axis, axes)), number=not axes)
            for result, outputs, axes in zip(names, groups, signature.results, strict=True)
        )
        inputs = tuple(map(self._input, signature.inputs))
        return Entry(name, kernel, inputs, outputs, _SUMMARIES[name], symmetric=signature.symmetric)

    def _definition(self, name: str) -> Entry:
        kernel = plan(self.stages, self._request(name), self.options).kernel
        (part,) = _parts(kernel, kernel.outputs)
        number = not part.shape
        output = Operand("result", (part,), part.shape, number=number)
        symbol = self._symbol(f"eval_{identifier(name)}")
        return Entry(symbol, kernel, (self._input("p"),), (output,), f"`{name}`", of=name)

    def _request(self, name: str) -> Request:
        return Request(name, None, self.fixed, precision=self.precision)

    def _check(self, name: str, signature: Signature) -> None:
        """Raises DerivativeUnavailable for a function that the program does not have."""
        task = self.stages.task
        if signature.through_cut and not task.cut:
            raise DerivativeUnavailable(no_cut())
        if signature.derivative and task.objective is not None:
            check_reached(self.model, None, None)

    def _results(self, kernel: Kernel, signature: Signature) -> list[tuple[str, ...]]:
        """The kernel's outputs that make each result."""
        if len(signature.results) == 1:
            return [kernel.outputs]
        first = len(self.stages.task.cut) if signature.results[0] == "m" else 1
        return [kernel.outputs[:first], kernel.outputs[first:]]

    def _axis(self, axis: str) -> Integer:
        params = self.program.params.values()
        if axis == "n":
            return sum((product(param.stored_shape) for param in params), constant(0))
        return sum((product(self._shape(name)) for name in self.stages.task.cut), constant(0))

    def _shape(self, name: str) -> Shape:
        return self.stages.task.program.tensors[name].shape

    def _input(self, letter: str) -> Operand:
        params = self.program.params.values()
        if letter == "u":
            parts = tuple(Part(weight(n), self._shape(n)) for n in self.stages.task.cut)
            return Operand(letter, parts, (self._axis("m"),))
        rename = direction if letter == "v" else str
        parts = tuple(Part(rename(param.name), param.stored_shape) for param in params)
        return Operand(letter, parts, (self._axis("n"),))

    # ── data, starts, bounds ─────────────────────────────────────────────────────────────────

    def _field(self, data: typed.Data) -> Field:
        default = None
        if data.default is not None and not data.shape and data.index_of is None:
            default = _known_number(self.stages, data.default)
        return Field(data.name, data.shape, data.index_of, default, data.description)

    def _draws(self) -> Operand | None:
        parts = tuple(Part(draw.name, draw.shape) for draw in self.program.draws)
        count = sum((product(part.shape) for part in parts), constant(0))
        return Operand("draws", parts, (count,)) if parts else None

    def _starts(self) -> Iterable[Entry]:
        draws = self._draws()
        starts = {param.name: param.init for param in self.program.params.values()}
        output = self._filled("p", starts, float("nan"))
        summary = "the declared start; nan where there is none"
        yield self._setup("start", (draws,) if draws else (), (output,), summary)

    def _bounds(self) -> Iterable[Entry]:
        params = self.program.params.values()
        lower = {param.name: param.lower and param.lower.definition for param in params}
        upper = {param.name: param.upper and param.upper.definition for param in params}
        outputs = (
            self._filled("lower", lower, float("-inf")),
            self._filled("upper", upper, float("inf")),
        )
        yield self._setup(
            "bounds", (), outputs, "the declared bounds; infinite where there are none"
        )

    def _defaults(self) -> Iterable[Entry]:
        """Data whose default is computed: it is called for before anything else."""
        for data in self.program.data.values():
            if data.default is None or self._field(data).default is not None:
                continue
            part = Part(data.default, self.stages.setup.tensors[data.default].shape)
            output = Operand("result", (part,), part.shape)
            name = self._symbol(f"default_{identifier(data.name)}")
            yield self._setup(name, (), (output,), f"the default of `{data.name}`", lenient=True)

    def _filled(self, name: str, definitions: Mapping[str, str | None], fill: float) -> Operand:
        """A flat vector of what setup definitions compute, by parameter."""
        parts: list[Part] = []
        for param in self.program.params.values():
            found, packing = definitions[param.name], param.packing
            full = param.shape if packing else ()
            packing = packing if found else None
            parts.append(Part(found, param.stored_shape, fill, packing, full))
        return Operand(name, tuple(parts), (self._axis("n"),))

    def _setup(
        self,
        name: str,
        inputs: tuple[Operand, ...],
        outputs: tuple[Operand, ...],
        summary: str,
        *,
        lenient: bool = False,
    ) -> Entry:
        wanted = [part.tensor for one in outputs for part in one.parts if part.tensor is not None]
        kernel, checks = None, ()
        if wanted:
            program = drop_dead(replace(self.stages.setup, outputs=tuple(wanted)))
            kernel = scheduled(program, "symopt_setup", self.options, self.fixed, self.precision)
            if lenient:
                checks = checks_of_setup(program, self.fixed, self.options)
        return Entry(
            name, kernel, inputs, outputs, summary, "setup", lenient=lenient, checks=checks
        )


def _parts(kernel: Kernel, outputs: Iterable[str]) -> tuple[Part, ...]:
    return tuple(Part(name, kernel.buffers[name].shape) for name in outputs)


def _known_number(stages: Stages, definition: str) -> float | None:
    """The value of a setup definition that depends on nothing, else None."""
    program = drop_dead(Program(stages.setup.statements, stages.setup.tensors, (definition,)))
    reads = {read.tensor for statement in program.statements for read in statement.reads}
    written = {statement.target for statement in program.statements}
    counted = {n for s in program.statements for r in s.reads for p in r.map for n in p.dims}
    looped = {n for s in program.statements for loop in s.loops for n in loop.upper.dims}
    if not reads <= written or counted | looped:
        return None
    return float(setup_values(stages.setup, (definition,), {}, {})[definition])


# ── object code ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Code:
    """The machine code of an interface, and its LLVM IR as text."""

    targets: tuple[Target, ...]
    image: bytes
    ir: str


def generate_code(interface: Interface, targets: Sequence[Target]) -> Code:
    """The code of an interface for one target, or for several CPUs of one system.

    Of several, each kernel is there once for each; the best that the processor has is run.
    """
    ordered = sorted(targets, key=level_of)
    variants = tuple(Variant(level_of(one), one.cpu.replace("-", "_")) for one in ordered)
    plain = _plain(ordered[0])
    exported = "dllexport " if plain.format == "coff" else ""
    entries = emit_entries(interface, variants, exported=exported)
    if plain.format == "elf":
        entries += "\n\n" + emit_import(interface.stem)
    module = optimized(entries, plain)
    for name, kernel in interface.kernels.items():
        for target, variant in zip(ordered, variants, strict=True):
            symbol = kernel_symbol(interface, name, variant)
            module.link_in(_kernel_module(replace(kernel, name=symbol), target, plain))
            module.get_function(symbol).linkage = "internal"
    module.verify()
    image = machine(plain).emit_object(module)
    return Code(tuple(ordered), image, str(module))


def _kernel_module(kernel: Kernel, target: Target, plain: Target) -> ModuleRef:
    """The code of one kernel for a target, to be linked with code for a plainer one."""
    attributes = f'"target-cpu"="{target.cpu}" "target-features"="{target.features}"'
    ir = emit_module(kernel, capabilities(target), attributes)
    module = optimized(ir, target)
    module.triple = machine(plain).triple
    if effort_for(ir) == QUICKLY:
        function = module.get_function(kernel.name)
        function.add_function_attribute("optnone")
        function.add_function_attribute("noinline")
    return module


def _plain(target: Target) -> Target:
    """The plainest processor of the kind."""
    return Target(target.triple, LEVELS[0] if target.architecture == "x86-64" else "generic")
