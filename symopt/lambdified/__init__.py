"""SymPy expressions as native functions: `symopt.lambdify`."""
