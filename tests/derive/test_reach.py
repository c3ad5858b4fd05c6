"""Changes by compact columns: which statements there are, and what they read."""

from __future__ import annotations

import symopt
from symopt.derive.functions import derive, sparsity
from symopt.statements.printer import print_statement
from symopt.statements.verify import verify
from symopt.types import constant


def statements(text: str, function: str = "jac_sparse") -> list[str]:
    found = verify(derive(symopt.parse(text).stages.task, function))
    wanted = (".dot", ".row")
    return [print_statement(s) for s in found.statements if s.target.endswith(wanted)]


def test_a_change_is_computed_in_its_own_columns_alone() -> None:
    text = """
    data cam[m] in n, y[m]
    param C[n, 2], s
    e[k] = sin(C[cam[k], 0]) * C[cam[k], 1]
    residual r[k] = s * e[k]^2 - y[k]
    """
    assert statements(text) == [
        "e.dot[k, 0] sum= C[cam[k], 1]*cos(C[cam[k], 0]) for k in range(m)",
        "e.dot[k, 1] sum= sin(C[cam[k], 0]) for k in range(m)",
        "r.dot[k, 2] sum= e[k] ^ 2 for k in range(m)",
        "r.dot[k, column] sum= e.dot[k, column]*r.slope.1[k] for k in range(m), column in range(2)",
        "r.row[a0, column] = r.dot[a0, column] for a0 in range(m), column in range(3)",
    ]


def test_copies_of_parameters_need_no_change_of_their_own() -> None:
    text = """
    data pt[m] in n, y[m, 2]
    param P[n, 2]
    x[k, a] = P[pt[k], a] - y[k, a]
    residual r[k] = x[k, 0] * x[k, 1]
    """
    assert statements(text)[:2] == [
        "r.dot[k, 0] sum= x[k, 1] for k in range(m)",
        "r.dot[k, 1] sum= x[k, 0] for k in range(m)",
    ]


def test_neighbouring_columns_share_a_statement() -> None:
    text = """
    data X[n, 3]
    param a[3], b, c[2]
    z[i] = sum(a[j] * X[i, j] for j) + b * sin(c[0]) * c[1]
    residual r[i] = sin(z[i])
    """
    changes = [line for line in statements(text) if line.startswith("r.dot")]
    assert changes == [
        "r.dot[i, column] sum= r.slope.1[i]*z.dot[i, column] for i in range(n), column in range(6)"
    ]


def test_the_columns_of_the_cut_are_those_of_its_rows() -> None:
    task = symopt.parse(
        "data y[n]\nparam x[n], s\nresidual r[i] = s * x[i] - y[i]\nresidual q = floor(s)"
    ).stages.task
    found = sparsity(task)
    assert list(found) == ["r", "q"]
    assert [found[name].width for name in found] == [constant(2), constant(0)]
    derived = derive(task, "residuals_and_jac_sparse")
    assert derived.outputs == ("r", "q", "r.row", "q.row")
    assert derived.tensors["q.row"].shape == (constant(0),)
    assert derive(task, "residuals_and_jac").outputs == ("r", "q", "r.row", "q.row")


def test_a_loop_called_column_keeps_its_name() -> None:
    text = """
    data X[n, d]
    param w[d], W[d, d]
    z[i, column] = sum(X[i, j] * W[j, column] for j)
    residual r[i, column] = tanh(z[i, column]) * w[column]
    """
    for function in ("jac", "jac_sparse", "hess", "gauss_newton"):
        verify(derive(symopt.parse(text).stages.task, function))
