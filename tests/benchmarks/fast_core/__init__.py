"""Four losses of the language against plain C and other ways of computing their derivatives.

`python -m tests.benchmarks.fast_core --only softmax --peers c,jax` times one of them.
"""
