"""The objective of the reference trajectories.

Its gradient takes + − × only, and so is the same everywhere. A chain of curved valleys with a
quartic coupling of its ends, in six unknowns.
"""

START = (-0.7, 0.4, 1.2, -0.3, 0.8, -1.1)


def value(x):
    total = 0.1 * (x[0] * x[5]) * (x[0] * x[5])
    for i in range(5):
        bend, rest = x[i + 1] - x[i] * x[i], 1.0 - x[i]
        total += 3.0 * bend * bend + rest * rest
    return total


def gradient(x):
    """The derivatives, in this order of operations."""
    slope = [0.0] * 6
    for i in range(5):
        bend, rest = x[i + 1] - x[i] * x[i], 1.0 - x[i]
        slope[i] += -12.0 * bend * x[i] - 2.0 * rest
        slope[i + 1] += 6.0 * bend
    slope[0] += 0.2 * x[0] * (x[5] * x[5])
    slope[5] += 0.2 * x[5] * (x[0] * x[0])
    return slope
