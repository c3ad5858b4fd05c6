"""The memory that a gradient takes beside its data, measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys

_SCRIPT = """\
import resource, sys
import numpy as np
import symopt

TEXT = '''
data x[n], y[n]
param a init 1, b init -0.5
residual r[i] = y[i] - a * exp(b * x[i])
'''

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

n = int(sys.argv[1])
model = symopt.parse(TEXT)
small = model.bind(x=np.ones(10), y=np.ones(10))
small.value_and_grad(small.x0)
# Compiling needed more than is held now: fill that up, or it would hide what comes.
ballast = np.ones(max(peak() - resident(), 0), dtype=np.uint8)
before = peak()
x, y = np.empty(n), np.empty(n)
rng = np.random.default_rng(0)
rng.random(out=x)
rng.random(out=y)
problem = model.bind(x=x, y=y)
problem.value_and_grad(problem.x0)
print(peak() - before - x.nbytes - y.nbytes)
"""


def extra_memory(n: int) -> int:
    """Bytes by which the peak grew, less the data's own: two columns of n numbers."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(n)], capture_output=True, text=True, check=True
    )
    return int(done.stdout)
