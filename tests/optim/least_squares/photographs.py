"""Bundle adjustments: the example Dubrovnik, and made-up ones of any size."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

import symopt

EXAMPLE = Path(__file__).parents[3] / "examples" / "bundle-adjustment"


@cache
def program():
    return symopt.load(EXAMPLE / "dubrovnik.sym")


def table(name):
    return np.loadtxt(EXAMPLE / f"{name}.csv", delimiter=",", skiprows=1)


def dubrovnik():
    sights = table("observations")
    return program().bind(
        cam=sights[:, 0].astype(int),
        pt=sights[:, 1].astype(int),
        u=sights[:, 2],
        v=sights[:, 3],
        camera_start=table("camera_start"),
        point_start=table("point_start"),
    )


def photographed(points):
    """Eight cameras before some points, each seen by four of them, with noise of a pixel."""
    rng = np.random.default_rng(1)
    cameras = 8
    camera = np.zeros((cameras, 9))
    camera[:, :3] = rng.normal(scale=0.05, size=(cameras, 3))
    camera[:, 3:6] = rng.normal(scale=0.3, size=(cameras, 3)) - [0, 0, 6]
    camera[:, 6:] = [500, 1e-3, 1e-4]
    place = rng.uniform(-1.5, 1.5, (points, 3))
    cam = np.concatenate([rng.permutation(cameras)[:4] for _ in range(points)])
    pt = np.repeat(np.arange(points), 4)
    none = np.zeros(len(cam))
    given = {"cam": cam, "pt": pt, "camera_start": camera, "point_start": place}
    true = program().bind(given, u=none, v=none)
    u, v = true.eval("picture", true.x0).T
    given["point_start"] = place + rng.normal(scale=0.05, size=place.shape)
    return program().bind(given, u=u + rng.normal(size=len(u)), v=v + rng.normal(size=len(v)))
