"""The Python module of compiled code, which needs NumPy and nothing of symopt."""
