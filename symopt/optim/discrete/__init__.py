"""Minimization over discrete states: permutations and strings of bits."""
