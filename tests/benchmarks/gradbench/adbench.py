"""The modules that stem from ADBench: gmm, ba, ht and lstm."""

from __future__ import annotations

from typing import Any

import numpy as np

from symopt.problem import Problem
from tests.benchmarks.gradbench.modules import (
    GRADIENT,
    VALUE,
    Function,
    Json,
    Module,
    Vector,
    model,
)

Bound = tuple[Problem, Vector]

# ── gmm ──────────────────────────────────────────────────────────────────────────────────────


def _below(d: int) -> tuple[Vector, Vector]:
    """Rows and columns of the entries below the diagonal, column by column."""
    columns, rows = np.triu_indices(d, 1)
    return rows, columns


def _mixture(given: Json) -> Bound:
    d, k = given["d"], given["k"]
    rows, columns = _below(d)
    lower = np.zeros((k, d, d))
    lower[:, rows, columns] = np.reshape(given["l"], (k, len(rows)))
    problem = model("gmm").bind(x=given["x"], gamma=given["gamma"], m=given["m"], k=k)
    return problem, problem.pack(
        {**{name: given[name] for name in ("alpha", "mu", "q")}, "l": lower}
    )


def _send_mixture(problem: Problem, gradient: Vector) -> Json:
    parts = problem.unpack(gradient)
    rows, columns = _below(problem.dims["d"])
    parts["l"] = parts["l"][:, rows, columns]
    return {name: part.tolist() for name, part in parts.items()}


# ── ba ───────────────────────────────────────────────────────────────────────────────────────

ENTRIES = 15  # of a row of the Jacobian: 11 of a camera, 3 of a point, and the weight
SENT = 2 * ENTRIES  # of the first observation


def _bundle(given: Json) -> Bound:
    n, m, p = given["n"], given["m"], given["p"]
    observation = np.arange(p)
    problem = model("ba").bind(
        cam=observation % n,
        pt=observation % m,
        feature=np.tile(given["feat"], (p, 1)),
        n=n,
        m=m,
    )
    point = (np.tile(given["cam"], n), np.tile(given["x"], m), np.full(p, given["w"]))
    return problem, np.concatenate(point)


def _send_residuals(problem: Problem, residuals: Vector) -> Json:
    p = problem.dims["p"]
    return {
        "reproj_error": {"elements": residuals[:2].tolist(), "repeated": p},
        "w_err": {"element": residuals[2 * p].item(), "repeated": p},
    }


def _send_sparse(problem: Problem, jacobian: Any) -> Json:
    """What is sent of a sparse matrix by rows: of every list the first 30 entries and the last.

    Rows of the reprojection have all 15 entries there, also those that can only be 0.
    """
    n, m, p = (problem.dims[name] for name in ("n", "m", "p"))
    first = np.r_[:11, 11 * n : 11 * n + 3, 11 * n + 3 * m]
    values = jacobian[:2, first].toarray()
    starts = np.r_[ENTRIES * np.arange(2 * p + 1), 2 * p * ENTRIES + np.arange(1, p + 1)]
    return {
        "rows": [*starts[:SENT].tolist(), starts[-1].item()],
        "cols": [*np.tile(first, 2).tolist(), problem.n - 1],
        "vals": [*values.ravel().tolist(), jacobian.data[-1].item()],
    }


# ── ht ───────────────────────────────────────────────────────────────────────────────────────


def _hand(given: Json) -> Bound:
    data, theta, u = given["data"], np.array(given["theta"]), np.array(given["us"])
    hand = data["model"]
    relative = np.array(hand["base_relatives"])
    if hand["is_mirrored"]:
        relative[0, 0] = -relative[0, 0]  # every bone hangs on the first: all x change their sign
    parent = np.array(hand["parents"])
    parent[0] = 0
    shared = {
        "parent": parent,
        "relative": relative,
        "inverse": hand["inverse_base_absolutes"],
        "base": hand["base_positions"],
        "weight": hand["weights"],
        "measured": data["points"],
    }
    where = data["correspondences"]
    if not u.size:
        return model("hand_simple").bind(shared, vertex=where), theta
    corner = np.array(hand["triangles"])
    problem = model("hand_complicated").bind(shared, triangle=where, corner=corner)
    return problem, np.concatenate([u.ravel(), theta])


def _send_columns(problem: Problem, jacobian: Any) -> Json:
    """The Jacobian as a full matrix, its own two weights standing first in the row of a point."""
    entries = jacobian.tocoo()
    own = problem.n - 26
    column = np.where(entries.col < own, entries.col % 2, entries.col - own + min(own, 2))
    full = np.zeros((jacobian.shape[0], 26 + min(own, 2)))
    full[entries.row, column] = entries.data
    return full.tolist()


# ── lstm ─────────────────────────────────────────────────────────────────────────────────────


def _lstm(given: Json) -> Bound:
    main, extra = np.array(given["main_params"]), np.array(given["extra_params"])
    state = np.array(given["state"])
    bits = state.shape[1]
    problem = model("lstm").bind(x=given["sequence"], state=state.reshape(-1, 2, bits))
    return problem, np.concatenate([main.ravel(), extra.ravel()])


GMM = Module(_mixture, {"objective": VALUE, "jacobian": Function(Problem.grad, _send_mixture)})
BA = Module(
    _bundle,
    {
        "objective": Function(Problem.residuals, _send_residuals),
        "jacobian": Function(Problem.jac_sparse, _send_sparse),
    },
)
HT = Module(
    _hand,
    {
        "objective": Function(Problem.residuals, lambda problem, residuals: residuals.tolist()),
        "jacobian": Function(Problem.jac_sparse, _send_columns),
    },
)
LSTM = Module(_lstm, {"objective": VALUE, "jacobian": GRADIENT})
