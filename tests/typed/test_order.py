"""In which order, and along which indices, definitions that need each other are computed."""

import pytest

import symopt
from symopt.typed.program import Definition


def definitions(text: str) -> list[Definition]:
    model = symopt.parse(f"{text}minimize a\n")
    return [d for d in model.stages.program.definitions if d.name != "minimize"]


def shown(text: str) -> list[str]:
    """Name, loops and steps of every definition, steps marked by their direction."""
    lines: list[str] = []
    for definition in definitions(text):
        loops = [loop.index.partition(".")[0] for loop in definition.axes]
        for number, step in enumerate(definition.steps):
            loops[number] += "<" if step.backward else ">"
        lines.append(f"{definition.name} {' '.join(loops)}".rstrip())
    return lines


HEAD = "data x[T], A[n, n], parent[n] in n\nparam a init 1\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("h[0] = a\nh[t] = a * h[t-1] for t in range(1, T)\n", ["h", "h t>"]),
        ("h[t] = x[t] * (h[t-1] if t > 0 else a) for t in range(T)\n", ["h t>"]),
        ("h[t] = x[t] * (h[t+1] if t < T - 1 else a) for t in range(T)\n", ["h t<"]),
        # Definitions in the order in which a step needs them, whatever the order written.
        (
            "p[t] = q[t] for t in range(1, T)\nq[t] = p[t-1] + a for t in range(1, T)\np[0] = a\n",
            ["p", "q t>", "p t>"],
        ),
        # Row by row; within a row by columns, then the diagonal.
        (
            "L[i, i] = A[i, i] - sum(L[i, k]^2 for k in range(i)) for i in range(n)\n"
            "L[i, j] = A[i, j] - sum(L[i, k] * L[j, k] for k in range(j)) / L[j, j]"
            " for i in range(n), j in range(i)\n",
            ["L i> j>", "L i>"],
        ),
        ("y[0] = a\ny[j] = y[parent[j]] * a for j in range(1, n)\n", ["y", "y j>"]),
        # An end case reads the last step; it is no part of the steps.
        (
            "h[0] = a\nh[t] = a * h[t-1] for t in range(1, T)\nh[T] = h[T-1] * 2\n",
            ["h", "h t>", "h"],
        ),
        # The second index first, where only that goes one way.
        (
            "u[i, 0] = a for i in range(n)\n"
            "u[i, t] = u[n-1-i, t-1] * a for i in range(n), t in range(1, T)\n",
            ["u i", "u t> i"],
        ),
    ],
)
def test_steps(text: str, expected: list[str]) -> None:
    assert shown(HEAD + text) == expected


def test_a_value_that_is_shared_takes_part_in_the_steps() -> None:
    text = HEAD + "h[0] = a\nh[t] = a * exp(norm([h[t-1], x[t]])) for t in range(1, T)\n"
    text = text.replace("norm([h[t-1], x[t]])", "twice(h[t-1] * x[t])")
    text = text.replace("h[0]", "def twice(v) = v + v * v\nh[0]", 1)
    names = [(d.name.startswith("~"), [s.name for s in d.steps]) for d in definitions(text)]
    assert names == [(False, []), (True, ["h.steps"]), (False, ["h.steps"])] or names[1:] == [
        (True, names[2][1]),
        (False, names[1][1]),
    ]


def test_definitions_of_one_recurrence_share_their_steps() -> None:
    text = (
        HEAD + "p[0] = a\nq[0] = a\n"
        "p[t] = q[t-1] for t in range(1, T)\nq[t] = p[t] for t in range(1, T)\n"
    )
    steps = [d.steps for d in definitions(text) if d.steps]
    assert len(steps) == 2
    assert steps[0] == steps[1]


def test_two_recurrences_have_steps_of_their_own() -> None:
    text = (
        HEAD + "p[0] = a\nq[0] = a\n"
        "p[t] = p[t-1] for t in range(1, T)\nq[t] = q[t-1] + p[t] for t in range(1, T)\n"
    )
    names = [d.steps[0].name for d in definitions(text) if d.steps]
    assert len(set(names)) == 2


def test_a_read_by_an_index_array_is_left_to_be_checked() -> None:
    text = HEAD + "y[0] = a\ny[j] = y[parent[j]] * a for j in range(1, n)\n"
    (earlier,) = (one for d in definitions(text) for one in d.earlier)
    assert str(earlier.place).startswith("parent[j")
    assert not earlier.backward


def test_an_index_array_that_points_ahead_is_refused() -> None:
    model = symopt.parse(
        "data parent[n] in n\nparam a init 1\n"
        "y[0] = a\ny[j] = y[parent[j]] * a for j in range(1, n)\nminimize sum(y)\n"
    )
    assert model.bind(parent=[0, 0, 1, 1]).value([2.0]) == 2 + 4 + 8 + 8
    with pytest.raises(symopt.DataError, match="step 2 reads what is computed at step 3"):
        model.bind(parent=[0, 0, 3, 1])
    with pytest.raises(symopt.DataError, match="step 1 reads what is computed at step 1"):
        model.bind(parent=[0, 1, 0, 1])
