"""What stands in the Python module of a compiled loss: binding, layout and calls, by NumPy alone.

`module.py` writes these files one after another into one module. They import NumPy, the
standard library and each other, and all their names are different.
"""
