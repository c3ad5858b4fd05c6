"""Functions of matrices in terms of those of a whole matrix in memory."""

import pytest

import symopt
from symopt.explain.counts import operation_counts
from symopt.loops.expand import expand_reductions
from symopt.loops.options import Options
from symopt.loops.program import Pass, updates_of
from symopt.loops.schedule import schedule
from symopt.loops.verify import verify as verify_kernel
from symopt.statements.printer import print_statement
from symopt.statements.program import Program
from symopt.statements.verify import verify


def program(text: str) -> Program:
    task = symopt.parse(text).stages.task
    assert task.objective is not None
    return Program(task.program.statements, task.program.tensors, (task.objective,))


def expanded(text: str) -> list[str]:
    return [print_statement(s) for s in verify(expand_reductions(program(text))).statements]


def test_a_matrix_that_lies_row_by_row_is_taken_as_it_is() -> None:
    found = expanded("param A[m, d, d] init 1\nminimize sum(inv(A))")
    loops = "for i in range(m), j in range(d), k in range(d), i' in range(d), j' in range(d)"
    assert found[0] == f"~inv[i, j, k] inverse= A[i, i', j'] {loops}"


@pytest.mark.parametrize("matrix", ["A[0].T", "A[0, 1:, 1:]", "A[0, 0:2, 1:3]"])
def test_any_other_is_copied(matrix: str) -> None:
    first, second, *_ = expanded(
        f"dim m, d\nparam A[m, d, d] init 1\nminimize sum(cholesky({matrix}))"
    )
    assert first.startswith("~cholesky.matrix[")
    assert "cholesky= ~cholesky.matrix[" in second


def test_determinants_are_made_of_an_elimination() -> None:
    found = expanded("param A[d, d] init 1\nminimize logdet(A)")
    assert [line.split(" ")[:2] for line in found] == [
        ["~logdet.factor[i~,", "j~]"],
        ["~logdet.size", "sum="],
        ["~logdet.sign", "prod="],
        ["~logdet", "="],
        ["minimize", "="],
    ]


@pytest.mark.parametrize("function", ["inv", "det", "logdet", "cholesky"])
def test_samples_go_through_in_lanes(function: str) -> None:
    element = f"{function}(s * A[i])"
    if function in ("inv", "cholesky"):
        element = f"sum({element})"
    text = f"data A[n, d, d]\nparam s init 1\nz[i] = {element}\nminimize sum(z)"
    kernel = verify_kernel(schedule(program(text), "f", Options()))
    (node,) = [node for node in kernel.nodes if isinstance(node, Pass)]
    assert node.lanes == 8
    assert sum(update.of_matrix for part in node.body for update in updates_of(part)) == 1


def test_rows_of_a_matrix_are_no_samples() -> None:
    """Even where their number is that of the samples."""
    text = "data x[n]\nparam s init 1\nK[i, j] = s * x[i] * x[j]\nminimize logdet(K)"
    kernel = verify_kernel(schedule(program(text), "f", Options()))
    passes = [node for node in kernel.nodes if isinstance(node, Pass)]
    inside = [update for node in passes for part in node.body for update in updates_of(part)]
    assert inside
    assert not any(update.of_matrix for update in inside)


@pytest.mark.parametrize(
    ("function", "size", "expected"),
    [
        ("inv", 3, {"additions": 18, "multiplications": 27, "divisions": 3}),
        ("det", 3, {"additions": 5, "multiplications": 14 + 2, "divisions": 3}),
        ("cholesky", 2, {"additions": 1 + 3, "multiplications": 1 + 3, "divisions": 1}),
    ],
)
def test_operations_are_counted(function: str, size: int, expected: dict[str, int]) -> None:
    element = f"{function}(A)" if function == "det" else f"{function}(A)[0, 0]"
    text = f"param A[{size}, {size}] init 1\nminimize {element}"
    kinds = operation_counts(schedule(program(text), "f", Options())).total.kinds
    assert {kind: kinds[kind].value for kind in expected} == expected
