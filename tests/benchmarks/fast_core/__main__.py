"""Times of the works named on the command line."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from tests.benchmarks.fast_core import compiling, page
from tests.benchmarks.fast_core.calls import measure_calls
from tests.benchmarks.fast_core.measure import PEERS, Outcome, measure, missing
from tests.benchmarks.fast_core.report import as_text, summary
from tests.benchmarks.fast_core.rounds import one_core
from tests.benchmarks.fast_core.work import KEYS, WORKS, Work, work

EXTRA = ("call", "compile")


def main() -> None:
    """Measure what is asked for, print it, and write the page or draw if that is asked too."""
    options = _options()
    only = options.only.split(",")
    os.environ["SYMOPT_CACHE"] = "off"  # compiling is measured
    with one_core(options.core):
        asked = [name for name in options.peers.split(",") if name and name != "c"]
        absent = missing(asked)
        for peer, package in absent.items():
            print(f"{peer} is left out: {package} is not installed")
        peers = [name for name in asked if name not in absent]
        outcomes = _outcomes(only, peers, options)
        keys = [key for key in KEYS if key in only]
        compiled = (keys or KEYS) if "compile" in only else ()
        compilations = [compiling.measure_compilation(key) for key in compiled]
        print("\n".join([*map(compiling.verdict, compilations), "", summary(outcomes)]))
        if options.plot:
            _draw(keys, peers)
        if options.page:
            page.write(outcomes, compilations, absent)


def _outcomes(
    only: Sequence[str], peers: Sequence[str], options: argparse.Namespace
) -> list[Outcome]:
    found: list[Outcome] = []
    for one in _works(only, options.n):
        found.append(measure(one, peers, options.seconds))
        print(as_text(found[-1]), end="\n\n", flush=True)
    if "call" in only:
        for outcome in measure_calls(peers, options.seconds):
            found.append(outcome)
            print(as_text(outcome), end="\n\n")
    return found


def _works(only: Sequence[str], n: int | None) -> list[Work]:
    if n is not None:
        return [work(key, n) for key in KEYS if key in only]
    return [one for one in WORKS if one.key in only]


def _draw(keys: Sequence[str], peers: Sequence[str]) -> None:
    from tests.benchmarks.fast_core.plot import curves, draw

    page.DIRECTORY.mkdir(parents=True, exist_ok=True)
    for key in keys:
        print(f"drew {draw(key, curves(key, peers), page.DIRECTORY)}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fast_core")
    every = ",".join((*KEYS, *EXTRA))
    parser.add_argument("--only", default=every, help=f"of {every}")
    parser.add_argument("--n", type=int, help="the number of samples, in place of the goals' own")
    parser.add_argument("--peers", default="c", help=f"of c,{','.join(PEERS)}; plain C always runs")
    parser.add_argument("--seconds", type=float, default=2.0, help="spent on each work")
    parser.add_argument("--core", type=int, help="the processor to stay on")
    parser.add_argument("--plot", action="store_true", help="draw time against samples")
    parser.add_argument("--page", action="store_true", help="write docs/benchmarks/fast-core.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
