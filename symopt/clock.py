"""Laps of a stopwatch, by name."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Clock:
    """Runs from when it is made."""

    seconds: dict[str, float] = field(default_factory=dict)
    _last: float = field(default_factory=time.perf_counter)

    def lap(self, name: str) -> None:
        """Notes the seconds since the last lap."""
        now = time.perf_counter()
        self.seconds[name] = now - self._last
        self._last = now
