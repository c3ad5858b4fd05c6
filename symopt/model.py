"""A model: one `.sym` program, checked and ready to be bound to data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from os import PathLike
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from symopt.bind_errors import refusing_zero_divisors
from symopt.binding import bind, check_cases, check_order, check_reads
from symopt.calls import Calls
from symopt.clock import Clock
from symopt.compiler import Compiled, Request, Stages, analyse, compile_function, lower
from symopt.derive.constant import flat_uses
from symopt.diagnostics import DataError, Diagnostic, Kind
from symopt.kernels import Kernels
from symopt.layout import layout_of
from symopt.loops.options import Options
from symopt.loops.printer import print_kernel
from symopt.loops.sizes import NOTHING_FIXED, Fixed, fixed_by
from symopt.precision import PRECISIONS, Precision
from symopt.problem import Problem
from symopt.source import Source
from symopt.starts import Starts
from symopt.statements.printer import print_program
from symopt.syntax import tree
from symopt.syntax.parser import read_source
from symopt.typed.errors import shape_text
from symopt.typed.program import Data, DimInfo, Expectation, Finite, Param
from symopt.types import Integer

if TYPE_CHECKING:
    from symopt.derive.functions import Task
    from symopt.explain import Explanation


def load(path: str | PathLike[str]) -> Model:
    """The model in a file; raises ParseError, ShapeError and so on with all mistakes in it."""
    return Model(read_source(path))


def parse(text: str, name: str = "<string>") -> Model:
    """The model in a text; `name` is what its diagnostics print."""
    return Model(Source(name, text))


class Model:
    """A checked program. Native functions are compiled once for all data of the same features."""

    def __init__(self, source: Source, options: Options | None = None) -> None:
        clock = Clock()
        self._stages: Stages = analyse(source)
        clock.lap("analyse")
        self.seconds: Mapping[str, float] = clock.seconds
        self._options = options or Options(sample=self._stages.program.sample)
        self._compiled: dict[Request, Compiled] = {}
        # Of which definitions, and by what names, derivatives are known not to be all 0.
        self.reached: set[tuple[str | None, tuple[str, ...] | None]] = set()

    def __repr__(self) -> str:
        return f"<symopt model {self._stages.source.name}: {', '.join(self.params)}>"

    @property
    def source(self) -> str:
        """The program's text."""
        return self._stages.source.text

    @property
    def sources(self) -> tuple[Source, ...]:
        """The texts that were read: the program's own first, then those that it imports."""
        return self._stages.program.sources

    @property
    def name(self) -> str:
        """The name of the program's file, or `<string>`."""
        return self._stages.source.name

    @property
    def stages(self) -> Stages:
        """The products of the compiler's stages."""
        return self._stages

    @property
    def dims(self) -> Mapping[str, DimInfo]:
        """The named sizes."""
        return MappingProxyType(dict(self._stages.program.dims))

    @property
    def options(self) -> Options:
        """How its kernels are scheduled."""
        return self._options

    @property
    def default_sizes(self) -> dict[str, int]:
        """The sizes of the dims that have a default."""
        return {n: dim.default for n, dim in self.dims.items() if dim.default is not None}

    @property
    def open_dims(self) -> tuple[str, ...]:
        """The dims that have no default and that no data has: only a caller gives their size."""
        read_off = {n for data in self.data.values() for size in data.shape for n in size.dims}
        dims = self._stages.program.dims.values()
        return tuple(d.name for d in dims if d.default is None and d.name not in read_off)

    @property
    def params(self) -> Mapping[str, Param]:
        """The unknowns, in the order of the flat parameter vector."""
        return MappingProxyType(dict(self._stages.program.params))

    @property
    def data(self) -> Mapping[str, Data]:
        """The arrays to be given."""
        return MappingProxyType(dict(self._stages.program.data))

    @cached_property
    def definitions(self) -> tuple[str, ...]:
        """Names of the definitions, in source order, each of which can be evaluated."""
        own = (d.name for d in self._stages.program.definitions if not d.auxiliary)
        return tuple(dict.fromkeys(own))

    @property
    def reports(self) -> tuple[str, ...]:
        """Names of the definitions marked `report`."""
        return self._stages.program.marked("report")

    @property
    def expectations(self) -> tuple[Expectation | Finite, ...]:
        """What the `expect` lines say, in source order; `symopt.expectations` evaluates them."""
        return self._stages.program.expectations

    @property
    def cut(self) -> tuple[str, ...]:
        """The marked definitions through which Gauss-Newton methods see the objective."""
        return self._stages.task.cut

    @cached_property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What is suspicious but not wrong."""
        return self._stages.warnings + flat_uses(self._stages.task)

    @property
    def maximize(self) -> bool:
        """Whether the objective is to be made large."""
        return self._stages.program.maximize

    def bind(self, data: Any = None, /, **given: Any) -> Problem:
        """The problem that this model and some data make.

        `data` is a mapping of arrays by name, or a data frame of columns; data and dims can also
        be given as keywords. What is not given is read from the file that the program names for
        it. `dtype` is "float64" or "float32", what data is rounded to and arrays are computed in;
        `threads` may say 1. Raises DataError where something is missing, extra or does not fit.
        """
        options = {n: given[n] for n in ("dtype", "threads") if n in given and not self._has(n)}
        arrays, sizes = self._sorted(data, {n: given[n] for n in given if n not in options})
        if options.get("threads", 1) != 1:
            raise DataError(_only_default("threads", 1, options["threads"]))
        if any(data.file is not None and data.name not in arrays for data in self.data.values()):
            from symopt.data_files import read_named

            arrays |= read_named(self.data, arrays)
        return self._problem(arrays, sizes, _precision(options.get("dtype", "float64")))

    @refusing_zero_divisors()
    def _problem(
        self,
        given: Mapping[str, Any],
        sizes: Mapping[str, int],
        precision: Precision = "float64",
    ) -> Problem:
        """The problem of data and sizes by name."""
        stages = self._stages
        bound = bind(stages.program, stages.setup, given, sizes, precision)
        layout = layout_of(stages.program.params, bound.dims)
        check_reads(stages.task.program, bound)
        check_cases(stages.task.program, bound)
        check_order(stages.program, bound)
        starts = Starts(stages.program, stages.setup, bound, layout)
        starts.check()
        return Problem(Calls(Kernels(self, bound, layout)), starts, dict(given), dict(sizes))

    def _has(self, name: str) -> bool:
        return name in self.data or name in self.dims

    def _sorted(self, data: Any, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
        """Arrays and sizes by name, from a mapping or frame and keywords."""
        everything: dict[str, Any] = {}
        if data is not None:
            columns = data if isinstance(data, Mapping) else getattr(data, "columns", None)
            if columns is None:
                raise DataError(_not_a_mapping(data))
            frame = columns is not data
            names = [str(name) for name in columns]
            # A frame may well have columns that this model does not need.
            known = {*self.data, *self.dims}
            everything = {name: data[name] for name in names if not frame or name in known}
        everything |= given
        sizes = {name: value for name, value in everything.items() if name in self.dims}
        arrays = {name: value for name, value in everything.items() if name not in sizes}
        return arrays, {name: _size(name, value) for name, value in sizes.items()}

    def compiled(
        self,
        name: str,
        of: str | None = None,
        fixed: Fixed = NOTHING_FIXED,
        wrt: tuple[str, ...] | None = None,
        width: int | None = None,
        precision: Precision = "float64",
    ) -> Compiled:
        """A function (`value`, `grad`, `hvp`, ...) or a definition's value, compiled once.

        What is `fixed` of the data to be bound is compiled in. Derivatives are by the names `wrt`,
        or by all parameters; `width` is of how many vectors a product is at once, `precision` what
        arrays are of.
        """
        request = Request(name, of, fixed, wrt, width, precision)
        if request not in self._compiled:
            self._compiled[request] = compile_function(self._stages, request, self._options)
        return self._compiled[request]

    def fixed_by(self, dims: Mapping[str, int], arrays: Mapping[str, Any]) -> Fixed:
        """What to compile in of data: the sizes that are not of samples, small index arrays."""
        return fixed_by(self._stages.task.program, self._options.sample, dims, arrays)

    def show(
        self,
        stage: Literal["statements", "graph", "loops", "llvm"],
        function: str = "value_and_grad",
        fixed: Fixed = NOTHING_FIXED,
        precision: Precision = "float64",
    ) -> str:
        """A stage of the compiler as text, for one function; `graph` is the whole dataflow."""
        if stage == "graph":
            from symopt.graph import print_graph

            return print_graph(self._stages.program, self.cut)
        request = Request(function, None, fixed, precision=precision)
        lowered = lower(self._stages, request, self._options)
        match stage:
            case "statements":
                return print_program(lowered.statements)
            case "loops":
                return print_kernel(lowered.kernel)
            case "llvm":
                return lowered.ir

    def explain(self, *functions: str, dtype: Any = "float64", **sizes: int) -> Explanation:
        """What is compiled for functions (`value`, `grad`, ...) where no data is bound.

        Dims given as keywords or by default are compiled in; arrays are of `dtype`. A problem
        explains what is compiled for its data.
        """
        from symopt.explain import Sizes, explain

        for name in sizes.keys() - self.dims.keys():
            raise DataError(_no_dim(name, self.dims))
        dims = self.default_sizes | sizes
        fixed = self.fixed_by(dims, {})
        return explain(self, functions, fixed, Sizes(dims), _precision(dtype))

    def derive(self, name: str, *, of: str | None = None) -> Any:
        """The derivative of the objective, or of definition `of`, as a SymPy expression.

        Sums stay `sympy.Sum`s over elements of `sympy.IndexedBase`. The axes of the parameter are
        free indices, those of `symbol(name)`. Raises DerivativeUnavailable where there is no
        closed form.
        """
        from symopt.derive.closed import closed_derivative

        mirrored = [n for n, param in self.params.items() if param.packing == "symmetric"]
        return closed_derivative(self._readable, name, of, self.origins, mirrored=mirrored)

    def chain_rule(self, *names: str) -> dict[Any, Any]:
        """The derivatives of the objective by parameters, in terms of those by definitions.

        SymPy expressions by what they are of: the derivative by definition `z` is `z` with a bar
        (a combining macron), and comes before those that need it. By all parameters, if none is
        named.
        """
        from symopt.derive.closed import chain_rule

        names = names or tuple(self.params)
        mirrored = [n for n, param in self.params.items() if param.packing == "symmetric"]
        return chain_rule(self._readable, names, self.origins, mirrored=mirrored)

    def expression(self, name: str | None = None) -> Any:
        """The objective, or the element `symbol(name)` of a definition, as a SymPy expression."""
        from symopt.derive.closed import closed_value

        return closed_value(self._readable, name, self.origins)

    def symbol(self, name: str) -> Any:
        """What stands for a parameter, data or a definition in SymPy expressions: `w[j]`, `b`."""
        from symopt.derive.closed import symbol

        return symbol(self._readable, name, self.origins)

    def latex(self) -> str:
        """The definitions and the objective as LaTeX, an `align*` environment."""
        from symopt.derive.latex import print_latex

        return print_latex(self._stages.program, self._readable)

    @cached_property
    def _readable(self) -> Task:
        """The loss as people write it: packed parameters are full arrays."""
        from symopt.derive.unpacked import unpacked

        return unpacked(self._stages.task, self._stages.program.params)

    @cached_property
    def origins(self) -> dict[str, tuple[Integer, ...]]:
        """The least index of each axis of the definitions."""
        return {d.name: d.origin for d in self._stages.program.definitions}

    def describe(self) -> list[str]:
        """Dims, data, parameters, what is minimized, the cut, what is expected, a line each."""
        program = self._stages.program
        lines: list[str] = []
        for dim in program.dims.values():
            default = f" = {dim.default}" if dim.default is not None else ""
            lines.append(f"dim {dim.name}{default}{_note(dim.description)}")
        for data in program.data.values():
            below = f" in {data.index_of}" if data.index_of is not None else ""
            shape = shape_text(data.shape)
            file = f'  from "{data.file.text}"' if data.file is not None else ""
            lines.append(f"data {data.name}: {shape}{below}{_note(data.description)}{file}")
        for param in program.params.values():
            packing = f" as {param.packing}" if param.packing is not None else ""
            shape = shape_text(param.shape)
            lines.append(f"param {param.name}: {shape}{packing}{_note(param.description)}")
        lines.append(f"{'maximize' if program.maximize else 'minimize'} {self._goal()}")
        lines.append(f"cut: {', '.join(self.cut) or 'none'}")
        lines.extend(expectation.text for expectation in self.expectations)
        return lines

    def _goal(self) -> str:
        written = any(isinstance(part, tree.Objective) for part in self._stages.file.statements)
        residuals = ", ".join(self._stages.program.marked("residual"))
        return "the objective" if written else f"the sum over all residuals ({residuals})"


def _note(description: str | None) -> str:
    return f'  "{description}"' if description else ""


def _size(name: str, value: Any) -> int:
    try:
        number = int(value)
        whole = bool(number == value)
    except (TypeError, ValueError, OverflowError):
        number, whole = -1, False
    if not whole or number < 0:
        message = f"dim `{name}` must be a whole number, found {value!r}"
        raise DataError(Diagnostic(Kind.DATA, "bad-size", message))
    return number


def _no_dim(name: str, dims: Mapping[str, DimInfo]) -> Diagnostic:
    return Diagnostic(
        Kind.DATA,
        "unknown-dim",
        f"the program has no dim `{name}`",
        help=f"it has: {', '.join(dims) or 'none'}",
    )


def _precision(dtype: Any) -> Precision:
    """What is meant by a dtype: its name, or what NumPy takes for it."""
    try:
        name = np.dtype(dtype).name if dtype is not None else "None"
    except TypeError:
        name = str(dtype)
    for precision in PRECISIONS:
        if name == precision:
            return precision
    raise DataError(_unknown_precision(dtype))


def _unknown_precision(found: object) -> Diagnostic:
    shown = found if isinstance(found, str) else getattr(found, "__name__", str(found))
    message = f"dtype={shown!r} is not supported: it can be {' or '.join(map(repr, PRECISIONS))}"
    return Diagnostic(Kind.DATA, "unknown-dtype", message)


def _only_default(name: str, only: object, found: object) -> Diagnostic:
    message = f"{name}={found!r} is not supported by this version: it has only {name}={only!r}"
    return Diagnostic(Kind.DATA, "not-supported", message)


def _not_a_mapping(data: Any) -> Diagnostic:
    return Diagnostic(
        Kind.DATA,
        "not-a-mapping",
        f"data must be a mapping of arrays by name or a data frame, found {type(data).__name__}",
        help="give arrays by name: bind(x=x, y=y)",
    )
