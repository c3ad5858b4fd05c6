"""Answers GradBench's messages on standard input, or prints times."""

from __future__ import annotations

import argparse
import functools
import sys

from tests.benchmarks.gradbench.protocol import serve


def main() -> None:
    """Serve, or measure where that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gradbench")
    parser.add_argument("--times", action="store_true", help="print how long evaluations take")
    parser.add_argument(
        "--page", action="store_true", help="and write docs/benchmarks/gradbench.md"
    )
    parser.add_argument("--only", default="", help="which modules to measure, with commas")
    options = parser.parse_args()
    if options.times or options.page:
        from tests.benchmarks.gradbench.times import report

        report([name for name in options.only.split(",") if name], page=options.page)
    else:
        serve(sys.stdin, functools.partial(print, flush=True))


if __name__ == "__main__":
    main()
