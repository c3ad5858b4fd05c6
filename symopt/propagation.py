"""How uncertain a function of the unknowns is, from the covariance of these."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def propagated(jacobian: Matrix, covariance: Matrix) -> NDArray[Any]:
    """The standard error of every row of a Jacobian, by linear propagation: sqrt(diag(J C Jᵀ)).

    inf where a row depends on an unknown of infinite variance.
    """
    unknown = ~np.isfinite(np.diag(covariance))
    known = np.where(unknown | unknown[:, None], 0.0, covariance)
    variance = np.einsum("ij,jk,ik->i", jacobian, known, jacobian)
    variance[(jacobian != 0) @ unknown] = np.inf
    return np.sqrt(np.maximum(variance, 0.0))
