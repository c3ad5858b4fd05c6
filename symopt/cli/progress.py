"""Watching a run: a line on a terminal, and Ctrl-C as a wish to stop and see the result."""

from __future__ import annotations

import signal
import sys
import time
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

_SECONDS_BETWEEN_UPDATES = 0.1


class Watch:
    """A callback that shows progress on standard error, and ends the run after Ctrl-C.

    The line appears only on a terminal and goes away when the run ends. The first Ctrl-C lets the
    current step finish, so that the result is whole; a second one is an ordinary interrupt.
    """

    def __init__(self, label: str, *, quiet: bool) -> None:
        self.interrupted = False
        self._label = label
        shown = sys.stderr.isatty() and not quiet
        self._status = Console(stderr=True).status(label) if shown else None
        self._next_update = time.monotonic()
        self._before = signal.getsignal(signal.SIGINT)

    def __call__(self, intermediate_result: OptimizeResult) -> None:
        if self.interrupted:
            raise StopIteration
        now = time.monotonic()
        if self._status is not None and now >= self._next_update:
            self._next_update = now + _SECONDS_BETWEEN_UPDATES
            count, value = intermediate_result.nit, intermediate_result.fun
            self._status.update(f"{self._label}: iteration {count}, objective {value:.10g}")

    def __enter__(self) -> Watch:
        signal.signal(signal.SIGINT, self._interrupt)
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGINT, self._before)
        if self._status is not None:
            self._status.stop()

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.interrupted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
