"""Which loop runs over samples, and which tensors stay with their sample."""

from __future__ import annotations

import pytest

from symopt.loops.axis import align, lead_of, sample_dims
from tests.support.loops import statements_of

LOGISTIC = """\
data X[n, d], y[n]
param w[d] init 0, b init 0
model z = X @ w + b
minimize sum(softplus(z) - y * z)
"""
CAMERAS = """\
data cam[m] in c, obs[m, 2]
param P[c, 2] init 0
r[k, a] = P[cam[k], a] - obs[k, a]
minimize sumsq(r)
"""
TWO = """\
{declaration}
data x[n], y[m]
param b init 0
minimize sum((x[i] - b)^2 for i) + sum((y[k] - b)^4 for k)
"""


def _leads(text: str, declared: str | None = None) -> dict[str, str | None]:
    """Per target, the size of the loop that leads its (last) statement."""
    program = statements_of(text)
    ranked = sample_dims(program, declared)
    found = {s.target: lead_of(s, ranked) for s in program.statements}
    return {name: str(lead.key[1]) if lead else None for name, lead in found.items()}


def test_data_lead_the_samples() -> None:
    assert sample_dims(statements_of(LOGISTIC), None)[0] == "n"
    assert set(_leads(LOGISTIC).values()) == {"n"}


def test_observations_rather_than_what_they_point_to() -> None:
    assert sample_dims(statements_of(CAMERAS), None)[0] == "m"
    assert set(_leads(CAMERAS).values()) == {"m"}


@pytest.mark.parametrize("declared", ["n", "m"])
def test_a_declared_dim_comes_first(declared: str) -> None:
    program = statements_of(TWO.format(declaration=f"sample {declared}"))
    assert sample_dims(program, declared)[0] == declared


def test_each_statement_leads_by_a_dim_it_has() -> None:
    program = statements_of(TWO.format(declaration=""))
    ranked = sample_dims(program, None)
    keys = {str(lead.key[1]) for s in program.statements if (lead := lead_of(s, ranked))}
    assert keys == {"n", "m"}


def test_ranges_that_depend_on_others_lead_nothing() -> None:
    text = "data x[n], off[m+1] in n+1\nparam b[m] init 0\n"
    text += "q[g] = sum(x[i] * b[g] for i in range(off[g], off[g+1])) for g in range(m)\n"
    text += "minimize sum(q)"
    program = statements_of(text)
    (inner,) = (s for s in program.statements if len(s.loops) == 2)
    lead = lead_of(inner, sample_dims(program, None))
    assert lead is not None and str(lead.key[1]) == "m"


def test_an_extremum_keeps_the_order_of_its_loops() -> None:
    """Rows before columns: leading by the columns would change which winner is first."""
    text = "data X[n, d]\nparam W[d, n] init 0\nminimize max(W[j, i] * X[i, j] for j, i)"
    (statement,) = (s for s in statements_of(text).statements if s.reduction == "max")
    lead = lead_of(statement, ("n", "d"))
    assert lead is not None and lead.index == statement.reduced[0].index


def _aligned(text: str) -> set[str]:
    program = statements_of(text, "grad")
    ranked = sample_dims(program, None)
    leads = {k: lead_of(s, ranked) for k, s in enumerate(program.statements)}
    return set(align(program.statements, leads).tensors)


def test_pointwise_tensors_stay_with_their_sample() -> None:
    assert {"z", "z.bar"} <= _aligned(LOGISTIC)
    assert "w.bar" not in _aligned(LOGISTIC)


def test_neighbours_and_scatters_do_not() -> None:
    text = "data x[n]\nparam u[n] init 0\nv[i] = tanh(u[i])\n"
    text += "minimize sum((v[i+1] - v[i] * x[i])^2 for i in range(n-1))"
    aligned = _aligned(text)
    assert "v" in aligned  # written plainly, although read sideways
    assert "v.bar" not in aligned  # written at i and at i + 1


def test_a_sample_may_choose_where_it_writes_in_its_own_row() -> None:
    """The derivative of a gather over classes: one entry of the sample's row."""
    text = "data x[n], c[n] in k\nparam V[n, k] init 0\nL[i, a] = V[i, a]^2\n"
    text += "minimize sum(L[i, c[i]] * x[i] for i)"
    assert "L.bar" in _aligned(text)


def test_an_extremum_writes_its_winner_too() -> None:
    text = "data X[n, d]\nparam b init 0\nt[i] = max(X[i, j] * b for j)\nminimize sum(t)"
    statement = statements_of(text).statements[0]
    assert statement.written == ("t", "t.winner")
