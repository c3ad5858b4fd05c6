"""Signs and rest."""

from __future__ import annotations

import numpy as np

from symopt.optim import Status
from symopt.optim.adaptive.local_steps import agreement, resting


def test_signs_agree_also_where_products_underflow():
    found = agreement(np.array([1e-200, -1e-200, 0.0, 2.0]), np.array([1e-200, 3.0, 1.0, 0.0]))
    np.testing.assert_array_equal(found, [1, -1, 0, 0])


def test_rest():
    place, slopes = np.array([1.0, 2.0]), np.array([0.0, 1e-9])
    assert resting(place, place.copy(), slopes) is Status.STEP
    assert resting(place, place + np.array([0, 1e-9]), slopes) is None
    # Without a slope there is nothing to follow: the gradient itself is the end.
    assert resting(place, place.copy(), np.zeros(2)) is None
