"""What asks a training to stop after a step: signals of a scheduler, and a time limit."""

import signal
import threading
import time
from types import FrameType
from typing import Any, Self, final

from engram.errors import EngramError

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name))


@final
class Stop:
    """Context manager in which SIGTERM, SIGUSR1 and a time limit are noted.

    Signals are noted if it is entered in the main thread.

    Args:
        time_limit_s: Seconds from now; None sets no limit.

    Raises:
        ValueError: If the limit is not positive.
    """

    def __init__(self, time_limit_s: float | None = None) -> None:
        if time_limit_s is not None and not time_limit_s > 0:
            raise EngramError(f"time_limit_s={time_limit_s}: give a positive number of seconds")
        self.end = None if time_limit_s is None else time.monotonic() + time_limit_s
        self.limit = time_limit_s
        self._signal = ""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def reason(self) -> str:
        """Why the training should stop; empty if it should not."""
        if self._signal:
            return self._signal
        if self.end is not None and time.monotonic() >= self.end:
            return f"the time limit of {self.limit:g} s"
        return ""

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._signal = signal.Signals(number).name
