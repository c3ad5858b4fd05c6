"""A loss as plain NumPy code that people can read, for real and complex numbers."""
