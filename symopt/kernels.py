"""The native functions of a model bound to data: which arrays each of them is called with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from symopt.binding import Bound
from symopt.call_errors import no_cut, no_slope, not_used, unknown_definition
from symopt.derive.functions import direction, unreached, unread, weight
from symopt.diagnostics import DataError, DerivativeUnavailable
from symopt.layout import Layout
from symopt.native.function import NativeFunction, aligned_vector
from symopt.types import Integer, evaluate
from symopt.wrt import Names, Wrt, names_of

if TYPE_CHECKING:
    from symopt.loops.sizes import Fixed
    from symopt.model import Model

Shape = tuple[int, ...]
Key = tuple[str, str | None, Names]  # a function, what it is of, and by

# The tensors that are the parts of each input, by the names of what they belong to.
_PART_OF: Mapping[str, Callable[[str], str]] = {
    "p": lambda name: name,
    "v": direction,
    "u": weight,
}


class Kernels:
    """Makes native functions, which share the bound data.

    `fixed` is what is compiled in of the data; found when it is needed, if not given.
    """

    def __init__(
        self, model: Model, bound: Bound, layout: Layout, fixed: Fixed | None = None
    ) -> None:
        self.model = model
        self.bound = bound
        self.layout = layout
        self._fixed = fixed

    def on(self, bound: Bound) -> Kernels:
        """Those of other data that fits the code of this one."""
        return Kernels(self.model, bound, self.layout, self._compiled_in())

    def native(self, key: Key, inputs: tuple[str, ...], width: int | None = None) -> NativeFunction:
        """A function of some inputs, or a definition; of `width` vectors where that is given."""
        name, of, wrt = key
        bound = self.bound
        compiled = self.model.compiled(name, of, self._compiled_in(), wrt, width, bound.precision)
        vectors: dict[str, NDArray[Any]] = {}
        flat: dict[str, NDArray[Any]] = {}
        for letter in inputs:
            layout = self._input(letter, of, wrt)
            if letter != "p" and width is not None:
                layout = layout.widened(width)
            vectors[letter] = aligned_vector(layout.size, bound.dtype)
            rename = _PART_OF[letter]
            flat |= {rename(part): a for part, a in layout.arrays(vectors[letter]).items()}
        return NativeFunction(
            compiled.kernel, compiled.library, bound.dims, bound.arrays, flat, vectors
        )

    def _compiled_in(self) -> Fixed:
        if self._fixed is None:
            self._fixed = self.model.fixed_by(self.bound.dims, self.bound.arrays)
        return self._fixed

    # ── what there is ────────────────────────────────────────────────────────────────────────

    def names(self, wrt: Wrt) -> Names:
        """What derivatives are by; raises a DataError for what they cannot be by."""
        return None if wrt is None else names_of(wrt, self.model.stages.program)

    def _input(self, letter: str, of: str | None, wrt: Names) -> Layout:
        """What the parts of an input belong to."""
        if letter == "p":
            return self.layout
        return self.unknowns(wrt) if letter == "v" else self.cut(of)

    def unknowns(self, wrt: Names) -> Layout:
        """What derivatives are by, one after another."""
        if wrt is None:
            return self.layout
        arrays, params = self.bound.arrays, self.layout.shapes
        return Layout(
            {name: params[name] if name in params else arrays[name].shape for name in wrt}
        )

    def cut(self, of: str | None) -> Layout:
        """The tensors that residuals and Jacobians are of, one after another."""
        task = self.model.stages.task
        if of is not None:
            self.check_definition(of)
        elif not task.cut:
            raise DerivativeUnavailable(no_cut())
        names = task.cut if of is None else (of,)
        return Layout({name: self.shape(task.program.tensors[name].shape) for name in names})

    def shape(self, shape: tuple[Integer, ...]) -> Shape:
        """Sizes as numbers."""
        return tuple(max(int(evaluate(size, self.bound.dims, {}, {})), 0) for size in shape)

    def check_definition(self, name: str) -> None:
        """Raise a DataError for the name of something else."""
        known = self.model.definitions
        if name not in known:
            raise DataError(unknown_definition(name, known))

    def check_reached(self, of: str | None, wrt: Names) -> None:
        """That derivatives are not all 0 for what they are by, where that is no accident."""
        check_reached(self.model, of, wrt)


def check_reached(model: Model, of: str | None, wrt: Names) -> None:
    """Raise DerivativeUnavailable where derivatives are 0 by a name, and that is no accident."""
    if (of, wrt) in model.reached:
        return
    program, task = model.stages.program, model.stages.task.by(wrt, of)
    what = "the objective" if of is None else f"`{of}`"
    missing = [no_slope(name, program, what) for name in unreached(task, of)]
    if wrt is not None:  # of names asked for one expects a derivative
        missing += [not_used(name, program, what) for name in unread(task, of)]
    if missing:
        raise DerivativeUnavailable(*missing)
    model.reached.add((of, wrt))
