"""The tests of compiled code, which need pytest, NumPy and nothing of symopt."""
