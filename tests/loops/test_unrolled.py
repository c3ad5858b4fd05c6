"""Short steps written out: the same updates at numbers, without what is never looked at."""

from symopt.loops.program import Fill, Steps, Update
from symopt.loops.unrolled import unrolled
from symopt.statements.program import count_of, read_of
from symopt.types import Clamp, Range, atom, constant, dim, index

T, H = index("t"), "h"
EARLIER = read_of(H, (atom(Clamp(T - 1, constant(4))),))


def steps(upper: int | None = 4, *, backward: bool = False) -> Steps:
    """h[t] = h[t-1] + t, of which the first element reads nothing that is there."""
    count = count_of(T)
    update = Update(
        H, (T,), (), "=", EARLIER.symbol + count.symbol, (EARLIER, count), first=False
    )  # fmt: skip
    end = dim("n") if upper is None else constant(upper)
    return Steps(Range("t", constant(0), end), backward, (update,))


def places(parts: tuple[object, ...]) -> list[int | None]:
    return [part.place[0].value for part in parts if isinstance(part, Update)]


def test_every_point_in_order() -> None:
    assert places(unrolled(steps(), 100)) == [0, 1, 2, 3]
    assert places(unrolled(steps(backward=True), 100)) == [3, 2, 1, 0]


def test_what_is_long_or_open_stays() -> None:
    assert unrolled(steps(), 3) == (steps(),)
    assert unrolled(steps(None), 100) == (steps(None),)
    assert unrolled(Fill(H, 0.0), 0) == (Fill(H, 0.0),)


def test_what_is_out_of_range_is_not_read() -> None:
    first, second, *_ = unrolled(steps(), 100)
    assert isinstance(first, Update)
    assert isinstance(second, Update)
    assert first.reads == ()
    assert [read.map for read in second.reads] == [(constant(0),)]


def test_what_is_added_out_of_range_is_left_out() -> None:
    """As the adjoint of a state that the first step does not look at."""
    back = Update(
        H, (atom(Clamp(T - 1, constant(4))),), (), "sum", EARLIER.symbol, (EARLIER,), first=False
    )  # fmt: skip
    found = unrolled(Steps(Range("t", constant(0), constant(4)), True, (back,)), 100)
    assert places(found) == [2, 1, 0]


def test_integers_become_numbers() -> None:
    last = unrolled(steps(), 100)[-1]
    assert isinstance(last, Update)
    assert str(last.expression - EARLIER.symbol) == "3.0"


def test_steps_inside_steps() -> None:
    inner = Update("q", (T, index("s")), (), "=", EARLIER.symbol, (EARLIER,), first=False)
    outer = Steps(
        Range("t", constant(0), constant(3)),
        False,
        (Steps(Range("s", constant(0), T), True, (inner,)),),
    )
    found = unrolled(outer, 100)
    at = [tuple(p.value for p in part.place) for part in found if isinstance(part, Update)]
    assert at == [(1, 0), (2, 1), (2, 0)]
