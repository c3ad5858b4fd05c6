"""What a method is: settings with a pure `init` and `step`, and the record that announces it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass
from enum import Enum
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar, runtime_checkable

from symopt.optim.problem import Needs, Point, Problem, Vector


class Status(Enum):
    """Why a run ended: code (SciPy's where it has one), success, and words."""

    GRADIENT = (0, True, "converged: the gradient is zero to within the tolerance")
    STEP = (0, True, "converged: the step is below the resolution of the parameters")
    VALUE = (0, True, "converged: the objective no longer changes")
    PRECISION = (0, True, "converged to the accuracy of floating point")
    FIXED = (0, True, "nothing to do: every parameter is fixed")
    MAX_ITER = (1, False, "not converged: the limit on iterations was reached")
    STALLED = (2, False, "not converged: no step lowers the objective")
    NONFINITE = (3, False, "stopped: the objective or its gradient is not finite")
    MAX_TIME = (4, False, "not converged: the time limit was reached")
    EXHAUSTED = (5, False, "not converged: the stream of data has ended")
    RAISED = (6, False, "stopped: the objective raised an error")
    UNBOUNDED = (7, False, "not converged: parameters run off beyond all bounds")
    STOPPED = (99, False, "stopped by the callback")
    INTERRUPTED = (130, False, "interrupted: this is the best point so far")

    @property
    def code(self) -> int:
        return self.value[0]

    @property
    def success(self) -> bool:
        return self.value[1]

    @property
    def message(self) -> str:
        return self.value[2]


@dataclass(frozen=True, slots=True)
class Stopping:
    """When the driver stops a run. All three are relative, and 0 switches a rule off.

    `gradient`: changing any one parameter by its own size (or its start's, if larger) would change
    the objective by no more than this fraction, to first order. `step`: no parameter moved by more
    than this fraction of its size. `value`: the objective changed by no more than this fraction,
    three times in a row.
    """

    gradient: float = 0.0
    step: float = 0.0
    value: float = 0.0


class State(Protocol):
    """Where a method is; frozen."""

    @property
    def point(self) -> Point: ...
    @property
    def outcome(self) -> Status | None:
        """Set when the method itself knows that it is done or stuck."""
        ...


@runtime_checkable
class Remarked(Protocol):
    """A state whose method chose for itself how to compute, and says so; "" if as always."""

    @property
    def remark(self) -> str: ...


S = TypeVar("S", bound=State)


class Optimizer(Protocol[S]):
    """A method with its settings: a frozen dataclass whose fields are the options.

    Both methods are pure. They minimize; signs, fixed entries, counting and the choice of samples
    are the driver's: a method for batches is handed another problem, of other samples, in each
    step. What is drawn at random follows from the seed (see `Chance`).
    """

    needs: ClassVar[Needs]
    stopping: ClassVar[Stopping]
    max_iter: ClassVar[int]
    # What dataclasses.fields and dataclasses.replace ask for.
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def init(self, problem: Problem, x: Vector, seed: int = 0) -> S: ...
    def step(self, problem: Problem, state: S) -> S: ...


Preset: TypeAlias = tuple[tuple[str, object], ...]


@dataclass(frozen=True, slots=True)
class Method:
    """One line of the method table; `optimizer` holds the settings with their defaults."""

    name: str
    family: str
    order: int  # the highest derivative by the unknowns that it uses
    optimizer: type[Optimizer[Any]]
    source: str
    stochastic: bool = False  # whether it draws at random, or is made for batches
    batches: bool = False  # whether it takes batches of samples by default
    bounds: bool = False
    aliases: tuple[str, ...] = ()
    preset: Preset = ()  # settings that make it this method, of several
    variants: tuple[tuple[str, Preset], ...] = ()  # names of it with other settings than usual

    def settings(self, options: Mapping[str, object]) -> Optimizer[Any]:
        """The settings with the options put in."""
        return self.optimizer(**{**dict(self.preset), **options})

    def describes(self, optimizer: Optimizer[Any]) -> bool:
        """Whether settings are those of this method."""
        return isinstance(optimizer, self.optimizer) and all(
            getattr(optimizer, name) == value for name, value in self.preset
        )

    @property
    def needs(self) -> Needs:
        return self.optimizer.needs
