"""Logistic regression on the irises by Newton's method: NumPy and the compiled loss, no symopt."""

import sys
from pathlib import Path

import numpy as np

folder, table = map(Path, sys.argv[1:])
sys.path.insert(0, str(folder))
import logistic  # noqa: E402  (what `symopt compile` wrote to the folder)

rows = np.loadtxt(table, delimiter=",", skiprows=1)
problem = logistic.bind(X=rows[:, :4], species=rows[:, 4].astype(int))
p = problem.x0
while np.max(np.abs(grad := problem.grad(p))) > 1e-12:
    p = p - np.linalg.solve(problem.hess(p), grad)
found = problem.unpack(p)
print(f"loss {problem.value(p):.10f}")
weights = " ".join(f"{weight:.6f}" for weight in found["w"])
print(f"w = {weights}, b = {found['b']:.6f}")
