"""How is a run asked to stop, and how does it say that it did?"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

__all__ = ["RunBlocked", "StopSignal", "Stopped", "caught_signals"]


class Stopped(Exception):
    """The run was asked to stop by a signal; what was running has saved its state.

    `at_once` says that it was asked twice, and that nothing more may be waited for.
    """

    def __init__(self, signal_number: int, *, at_once: bool = False) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.exit_code = 128 + signal_number
        self.at_once = at_once


class RunBlocked(Exception):
    """A fault that stops the run and not one cell alone; `exit_code` says which."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(slots=True)
class StopSignal:
    """Which signal asked the run to stop, and how often."""

    number: int = 0
    count: int = 0

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Take a signal."""
        del frame
        self.number, self.count = self.number or number, self.count + 1

    def raise_if_received(self) -> None:
        """Stop here if a signal asked for it.

        Raises:
            Stopped: if there was a signal.
        """
        if self.number:
            raise Stopped(self.number, at_once=self.count > 1)


@contextlib.contextmanager
def caught_signals() -> Iterator[StopSignal]:
    """Catch SIGINT and SIGTERM instead of dying of them; outside the main thread do nothing."""
    stop_signal = StopSignal()
    if threading.current_thread() is not threading.main_thread():
        yield stop_signal
        return
    handlers = {n: signal.signal(n, stop_signal.receive) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop_signal
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
