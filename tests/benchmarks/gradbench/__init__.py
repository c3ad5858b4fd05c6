"""A tool for GradBench: its evaluations, written as programs and asked for in its protocol.

`python -m tests.benchmarks.gradbench` answers messages on standard input; with `--times` it prints
how long objectives and derivatives take, instead.
"""
