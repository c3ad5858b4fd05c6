"""Descent along gradients or axes, conjugate gradients, and quasi-Newton methods."""
