"""What a method for discrete states is, and the problem as it sees it."""

from __future__ import annotations

from dataclasses import Field, dataclass, field
from typing import Any, ClassVar, Protocol, TypeVar

from symopt.optim.discrete.costs import Cost, IncrementalCost
from symopt.optim.discrete.neighbourhoods import DiscreteState, Move, Neighbourhood
from symopt.optim.optimizer import Status


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A state, read-only, and its cost."""

    state: DiscreteState
    cost: float

    def __post_init__(self) -> None:
        self.state.setflags(write=False)


@dataclass(slots=True)
class Evaluations:
    """How many states were evaluated, and how many moves."""

    states: int = 0
    moves: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class DiscreteProblem:
    """A cost to be minimized over states and their neighbourhoods; every call is counted."""

    cost: Cost
    neighbourhood: Neighbourhood
    sign: float = 1.0  # -1 for a cost to be maximized
    evaluations: Evaluations = field(default_factory=Evaluations)
    incremental: IncrementalCost | None = field(init=False)  # the cost, if it knows of changes

    def __post_init__(self) -> None:
        known = self.cost if isinstance(self.cost, IncrementalCost) else None
        object.__setattr__(self, "incremental", known)

    def at(self, state: DiscreteState) -> Candidate:
        """The state, evaluated."""
        self.evaluations.states += 1
        return Candidate(state, self.sign * float(self.cost(state)))

    def change(self, at: Candidate, move: Move) -> float:
        """What a move changes; by evaluating the state it leads to, where the cost cannot tell."""
        if self.incremental is not None:
            self.evaluations.moves += 1
            return self.sign * float(self.incremental.change(at.state, move))
        return self.at(self.neighbourhood.apply(at.state, move)).cost - at.cost

    def after(self, at: Candidate, move: Move, change: float) -> Candidate:
        """Where a move leads."""
        return Candidate(self.neighbourhood.apply(at.state, move), at.cost + change)


class DiscreteMethodState(Protocol):
    """Where a method is; frozen."""

    @property
    def current(self) -> Candidate: ...
    @property
    def best(self) -> Candidate: ...
    @property
    def outcome(self) -> Status | None: ...


S = TypeVar("S", bound=DiscreteMethodState)


class DiscreteOptimizer(Protocol[S]):
    """A method with its settings: `init` and `step` are pure, but for the counting."""

    max_iter: ClassVar[int]
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]  # what dataclasses.fields asks for

    def init(self, problem: DiscreteProblem, start: DiscreteState, seed: int = 0) -> S: ...
    def step(self, problem: DiscreteProblem, state: S) -> S: ...
