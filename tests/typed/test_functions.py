"""Functions: what is shared between calls, what chains of them cost, what is refused."""

import numpy as np
import pytest

import symopt
from symopt.diagnostics import SymoptError

HEAD = "data x[n]\nparam w init 0.5\n"


def names(text: str) -> list[str]:
    return [d.name for d in symopt.parse(HEAD + text).stages.program.definitions]


def chain(count: int, body: str) -> str:
    """f0 is the sine; every f{k} has a body that calls f{k-1}, written as F."""
    lines = [f"def f{k}(x) = {body.replace('F', f'f{k - 1}')}" for k in range(1, count + 1)]
    return "\n".join(["def f0(x) = sin(x)", *lines, f"minimize f{count}(w)"])


def value(text: str, w: float) -> float:
    data = {"x": np.zeros(2)}
    return symopt.parse(HEAD + text).bind(data).value(np.array([w]))


@pytest.mark.parametrize(
    ("body", "factor"),
    [
        ("F(x) + F(x)", 2.0),
        ("0.5 * F(x) + 0.25 * F(x) + 0.25 * F(x)", 1.0),
        ("F(1*x) - F(1*x) / 2", 0.5),
        ("F(x) if F(x) > 0 else -F(x)", 1.0),
    ],
)
def test_chains_of_repeated_calls_are_linear(body: str, factor: float) -> None:
    text = chain(40, body)
    assert len(names(text)) <= 2 * 40 + 1
    assert value(text, 0.3) == pytest.approx(factor**40 * np.sin(0.3), rel=1e-14)


def test_chains_of_arrays_inside_sums_are_linear() -> None:
    text = "\n".join(
        ["def f0(x) = x", *(f"def f{k}(x) = sum(f{k - 1}(x)[i] for i) * x" for k in range(1, 20))]
    )
    assert len(names(f"{text}\nminimize sum(f19(w * x))")) < 50


def test_functions_of_functions_are_refused_before_they_explode() -> None:
    with pytest.raises(SymoptError, match="called more than"):
        names(chain(40, "F(F(x))"))


def test_long_chains_are_refused_before_the_stack_overflows() -> None:
    with pytest.raises(SymoptError, match="inside too many other functions"):
        names(chain(300, "1 + (2 * F(x))^2"))


def test_a_call_is_named_from_its_second_appearance_on() -> None:
    head = "def f(a) = sin(a)^2\n"
    assert names(head + "minimize f(w)") == ["minimize"]
    assert names(head + "minimize f(w) + f(2)") == ["minimize"]
    assert names(head + "minimize f(w) + f(w)") == ["~f", "minimize"]


def test_a_local_is_named_if_it_is_used_twice() -> None:
    assert names("def f(a) { b = sin(a)\n return b^2 }\nminimize f(w)") == ["minimize"]
    assert names("def f(a) { b = sin(a)\n return b*b }\nminimize f(w)") == ["~f.b", "minimize"]


def test_a_local_belongs_to_the_indices_of_its_call() -> None:
    text = "def f(a) { y[i] = a * i for i in 3\n return y }\nminimize sum(f(x[k] * w)[2] for k)"
    definitions = symopt.parse(HEAD + text).stages.program.definitions
    shapes = {d.name: ", ".join(map(str, d.shape)) for d in definitions}
    assert shapes["~f.y"] == "n, 3"


def test_every_call_draws_its_own_random_numbers() -> None:
    text = "def noise(s) = normal(0, s)\nparam v init noise(1) - noise(1)\nminimize w * v"
    assert symopt.parse(HEAD + text).bind(x=np.zeros(1)).x0[1] != 0


def test_guards_around_a_call_hold_in_its_body() -> None:
    text = "def at(j) = x[j]\nminimize w * sum(at(i - 1) + at(i) if i > 0 else at(i) for i in n)"
    problem = symopt.parse(HEAD + text).bind(x=np.array([1.0, 10.0, 100.0]))
    assert problem.value(np.array([1.0])) == 1 + 11 + 110


def test_integers_given_to_functions_are_indices() -> None:
    text = "def at(j) = x[j]\ndef twice(j) = at(2 * j)\n"
    text += "minimize w * (at(2) + twice(1) + twice(n - 2))"
    problem = symopt.parse(HEAD + text).bind(x=np.array([1.0, 10.0, 100.0]))
    assert problem.value(np.array([1.0])) == 300
    with pytest.raises(SymoptError, match="an index must be an integer"):
        names("def at(j) = x[j]\nminimize w * at(1.5)")


def test_a_call_out_of_its_guard_is_not_the_one_inside() -> None:
    text = "def at(j) = x[j]\nminimize w * sum((at(i - 1) if i > 0 else 0) + at(i - 1) for i in n)"
    with pytest.raises(SymoptError, match="leaves the axis"):
        symopt.parse(HEAD + text)


def test_sizes_are_those_of_the_argument() -> None:
    text = "def f(u[q]) { y[i] = u[i] * q for i in range(q)\n return sum(y) / q }\n"
    text += "minimize w * (f(x) + f(x[1:n]))"
    problem = symopt.parse(HEAD + text).bind(x=np.array([1.0, 2.0, 4.0]))
    assert problem.value(np.array([1.0])) == 7 + 6


def test_a_local_over_a_range_of_the_call_has_that_size() -> None:
    """Its mean is over what this call has, not over the room for all calls."""
    text = "def f(k) { y[i] = x[i] * 1 for i in range(k)\n return mean(y) }\n"
    text += "minimize w * sum(f(j) for j in range(1, n + 1))"
    problem = symopt.parse(HEAD + text).bind(x=np.array([1.0, 3.0, 8.0]))
    assert problem.value(np.array([1.0])) == 1 + 2 + 4


def test_elements_before_a_local_begins_are_refused() -> None:
    text = "def f(u[q]) { d[i] = u[i] - u[i-1] for i in range(1, q)\n return d[0] }\n"
    with pytest.raises(SymoptError, match="leaves the axis"):
        names(text + "minimize f(x)")
