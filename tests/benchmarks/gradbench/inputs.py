"""Inputs as GradBench's evaluations send them, of any size, drawn from a seed."""

from __future__ import annotations

from typing import Any

import numpy as np

Json = Any
BONES, FINGERS = 22, 5


def lse(seed: int, n: int) -> Json:
    """Numbers whose exponentials are summed."""
    return {"x": np.random.default_rng(seed).random(n).tolist()}


def llsq(seed: int, n: int, m: int) -> Json:
    """Coefficients of a polynomial, and at how many points it is compared."""
    return {"x": np.random.default_rng(seed).random(m).tolist(), "n": n}


def ode(seed: int, n: int, s: int) -> Json:
    """Factors of the equations, and the number of steps."""
    return {"x": np.random.default_rng(seed).random(n).tolist(), "s": s}


def det(seed: int, ell: int) -> Json:
    """A square matrix."""
    return {"A": np.random.default_rng(seed).random(ell * ell).tolist(), "ell": ell}


def kmeans(seed: int, n: int, k: int, d: int) -> Json:
    """Points, the last of which are the centroids."""
    points = np.random.default_rng(seed).random((n, d)).tolist()
    return {"points": points, "centroids": points[-k:]}


def gmm(seed: int, n: int, d: int, k: int, m: int = 0, gamma: float = 1.0) -> Json:
    """Points and the parts of a mixture."""
    rng = np.random.default_rng(seed)
    return {
        "d": d,
        "k": k,
        "n": n,
        "x": rng.normal(size=(n, d)).tolist(),
        "m": m,
        "gamma": gamma,
        "alpha": rng.normal(size=k).tolist(),
        "mu": rng.random((k, d)).tolist(),
        "q": rng.normal(size=(k, d)).tolist(),
        "l": rng.normal(size=(k, d * (d - 1) // 2)).tolist(),
    }


def ba(seed: int, n: int, m: int, p: int) -> Json:
    """One camera, point, weight and feature, which stand for n, m, p and p of them."""
    rng = np.random.default_rng(seed)
    camera = [*rng.normal(size=6), 700.0, *rng.normal(size=2), *rng.normal(0, 1e-2, 2)]
    return {
        "n": n,
        "m": m,
        "p": p,
        "cam": np.array(camera).tolist(),
        "x": np.add(rng.normal(size=3), [0, 0, 5]).tolist(),
        "w": 0.4,
        "feat": rng.normal(0, 100, 2).tolist(),
    }


def ht(seed: int, vertices: int, points: int, complicated: bool, mirrored: bool = False) -> Json:
    """A hand of 22 bones with skin of its own, and measured points."""
    rng = np.random.default_rng(seed)
    triangles = np.array([rng.choice(vertices, 3, replace=False) for _ in range(vertices)])
    hand = {
        "bone_count": BONES,
        "bone_names": [f"bone{j}" for j in range(BONES)],
        "parents": [-1, *(0 if j % 4 == 1 else j - 1 for j in range(1, BONES))],
        "base_relatives": _motions(rng, BONES).tolist(),
        "inverse_base_absolutes": _motions(rng, BONES).tolist(),
        "base_positions": np.hstack(
            [rng.normal(size=(vertices, 3)), np.ones((vertices, 1))]
        ).tolist(),
        "weights": rng.dirichlet(np.full(BONES, 0.2), vertices).tolist(),
        "triangles": triangles.tolist(),
        "is_mirrored": mirrored,
    }
    return {
        "theta": rng.normal(size=6 + 4 * FINGERS).tolist(),
        "data": {
            "model": hand,
            "correspondences": rng.integers(0, vertices, points).tolist(),
            "points": rng.normal(size=(points, 3)).tolist(),
        },
        "us": rng.random((points, 2)).tolist() if complicated else [],
    }


def _motions(rng: np.random.Generator, count: int) -> np.ndarray:
    """Orthogonal matrices and shifts, in homogeneous coordinates."""
    motions = np.tile(np.eye(4), (count, 1, 1))
    motions[:, :3, :3] = np.linalg.qr(rng.normal(size=(count, 3, 3)))[0]
    motions[:, :3, 3] = rng.normal(0, 0.1, (count, 3))
    return motions


def lstm(seed: int, layers: int, characters: int, bits: int) -> Json:
    """A text as bits, the parameters of a network and what its layers hold at the start."""
    rng = np.random.default_rng(seed)
    return {
        "main_params": rng.random((2 * layers, 4 * bits)).tolist(),
        "extra_params": rng.random((3, bits)).tolist(),
        "state": rng.random((2 * layers, bits)).tolist(),
        "sequence": rng.integers(0, 2, (characters, bits)).astype(float).tolist(),
    }
