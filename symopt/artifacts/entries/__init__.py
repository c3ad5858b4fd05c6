"""The functions that C calls: around kernels, what checks their arguments and finds them room."""
