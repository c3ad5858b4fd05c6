"""What was compiled: operation counts, passes, and what was hoisted or rewritten, as facts."""

from __future__ import annotations

from symopt.explain.counts import Counts, Operations, operation_counts
from symopt.explain.facts import Explanation, FunctionFacts, Sizes, explain

__all__ = [
    "Counts",
    "Explanation",
    "FunctionFacts",
    "Operations",
    "Sizes",
    "explain",
    "operation_counts",
]
