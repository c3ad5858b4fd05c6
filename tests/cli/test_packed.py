"""Packed parameters on the command line: entries by their full index, values as full arrays."""

import json

import numpy as np
import pytest

PROGRAM = """\
data X[n, d], Y[n, d]
param A[d, d] as symmetric init 0 "stiffness"
param L[d, d] as strict lower init 0
residual r = Y - X @ A - X^2 @ L.T
"""
A = np.array([[2, 0.5, 0.1], [0.5, 1, 0.2], [0.1, 0.2, 3]])
L = np.array([[0, 0, 0], [3, 0, 0], [6, 7, 0]])


@pytest.fixture
def fit(run, program, folder, rng):
    """Fits the program to exact data, with some options."""
    X = rng.normal(size=(20, 3))
    np.save(folder / "X.npy", X)
    np.save(folder / "Y.npy", X @ A + X**2 @ L.T)
    np.savetxt(folder / "L.csv", L, delimiter=",")
    program(PROGRAM)
    return lambda *options: run(
        "fit", "program.sym", "--data", "X=X.npy", "--data", "Y=Y.npy", *options
    )


def test_the_table_has_the_unknowns(fit):
    result = fit()
    assert result.exit_code == 0, result.stderr
    rows = [line.split("  ")[0] for line in result.stdout.splitlines()[2:11]]
    assert rows == [
        *("A[0, 0]", "A[1, 0]", "A[1, 1]", "A[2, 0]", "A[2, 1]", "A[2, 2]"),
        *("L[1, 0]", "L[2, 0]", "L[2, 1]"),
    ]


def test_the_document_has_full_arrays(fit):
    document = json.loads(fit("--json", "-", "--quiet").stdout)
    # Exact data: what is left is rounding.
    np.testing.assert_allclose(document["params"]["A"], A, atol=1e-12)
    np.testing.assert_allclose(document["params"]["L"], L, atol=1e-12)
    assert document["entries"][5:7] == ["A[2, 2]", "L[1, 0]"]
    assert np.shape(document["covariance"]) == (9, 9)


@pytest.mark.parametrize("value", ["3,6,7", "L.csv"])
def test_values_are_full_or_the_unknowns_alone(fit, value):
    result = fit("--param", f"L={value}", "--fix", "L", "--json", "-", "--quiet")
    document = json.loads(result.stdout)
    assert document["params"]["L"] == L.tolist()
    np.testing.assert_allclose(document["params"]["A"], A, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--fix", "L[1,2]"), "cannot fix `L[1,2]`"),
        (("--param", "A=1,2,3,4,5,6,7,8,9"), "`A` is symmetric, but A[0, 1] = 2.0"),
        (("--param", "A=1,2"), "(3, 3), or (6,) for its unknowns alone"),
    ],
)
def test_what_does_not_fit_is_refused(fit, options, message):
    result = fit(*options)
    assert result.exit_code == 2
    assert message in result.stderr
