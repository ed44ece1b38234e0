"""What does the event log of a cell hold, whole or as it grows?"""

import contextlib
import os
from pathlib import Path

from pydantic import ValidationError

from cnnbench.schema.events import EVENT, Event

__all__ = ["EventTail", "parse_events"]


class EventTail:
    """Reads a growing log piece by piece, so that a watched run stays as fast as any other."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode = 0
        self._offset = 0

    def read(self) -> list[Event]:
        """Return the whole events added since the last call; from the start if the log was cut."""
        try:
            with self._path.open("rb") as file:
                stat = os.fstat(file.fileno())
                if stat.st_ino != self._inode or stat.st_size < self._offset:
                    self._inode, self._offset = stat.st_ino, 0
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return parse_events(whole)


def parse_events(log: bytes) -> list[Event]:
    """Return every whole event of a log; a line torn by a kill is left out."""
    events = []
    for line in log.split(b"\n"):
        with contextlib.suppress(ValidationError):
            events.append(EVENT.validate_json(line))
    return events
