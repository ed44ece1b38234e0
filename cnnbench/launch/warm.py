"""How does a cell start without importing torch anew? By a fork of a process that did so once."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, Protocol

from cnnbench.base.processes import child_environment, verb_command
from cnnbench.store import CellFolder, RunFolder

__all__ = ["CellProcess", "WarmServer"]


class CellProcess(Protocol):
    """What the launcher asks of a cell's process; a `Popen` is one."""

    pid: int
    returncode: int
    stdin: IO[bytes] | None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code, or minus the signal; raise TimeoutExpired while it runs."""
        ...


@dataclass(slots=True)
class _ForkedCell:
    """A cell that is a fork of the server, which tells its id and then how it ended.

    Until the id is known, while the server imports torch, `pid` is the server's own: what ends a
    cell that early ends the server.
    """

    server: "subprocess.Popen[bytes]"
    pid: int = field(init=False)
    returncode: int = field(default=0, init=False)
    stdin: IO[bytes] | None = field(default=None, init=False)
    _has_ended: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.pid = self.server.pid

    def wait(self, timeout: float | None = None) -> int:
        answers = self.server.stdout
        assert answers
        while not self._has_ended:
            if not select.select([answers], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("cell", timeout or 0.0)
            answer, is_forked = answers.readline(), self.pid != self.server.pid
            if answer and not is_forked:
                self.pid = int(answer)
                continue
            self.returncode = int(answer) if answer else self._end_without_server(is_forked)
            self._has_ended = True
        return self.returncode

    def _end_without_server(self, is_forked: bool) -> int:
        """End a cell whose server is gone: nobody would hear how it ends."""
        if not is_forked:
            return self.server.wait()
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return -signal.SIGKILL


class WarmServer:
    """Starts cells one after another, each a fork of one process that has imported all they need.

    That process touches no GPU and starts no thread, so a fork of it is as good as new. A cell's
    stdin is the server's: it closes when the launcher ends, however that comes about. Elsewhere
    than on Linux, where what imported torch may not be forked, each cell is a new process.
    `words` are typed after each `cnnbench cell`, whose `environment` is added to this process's.
    """

    def __init__(
        self,
        run_folder: RunFolder,
        words: Sequence[str] = (),
        *,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._run, self._words = str(run_folder.path), list(words)
        self._environment = environment
        self._server: subprocess.Popen[bytes] | None = None

    def start(self, folder: CellFolder) -> CellProcess:
        """Start `cnnbench cell`; what it prints goes to the cell's `log.txt`."""
        words = [
            "cell",
            "--launched",
            "--started",
            repr(time.monotonic()),
            "--id",
            folder.path.name,
        ]
        words += ["--run", self._run, *self._words]
        log = folder.path / "log.txt"
        if sys.platform != "linux":
            return self._start_process(words, log)
        server = self._running(log)
        assert server.stdin
        with suppress(BrokenPipeError):  # it ended just now: its cell will hear no answer
            server.stdin.write(json.dumps([words, str(log)]).encode() + b"\n")
        return _ForkedCell(server=server)

    def _start_process(self, words: Sequence[str], log: Path) -> "subprocess.Popen[bytes]":
        """Start a verb in a session of its own; what it prints goes to `log`.

        A terminal's Ctrl-C so reaches the launcher alone, which passes it on once. The cell's stdin
        is a pipe from the launcher: it closes when the launcher ends, however that comes about.
        """
        with log.open("ab") as file:
            return subprocess.Popen(
                verb_command(*words),
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
                env={**child_environment(), **self._environment},
                start_new_session=True,
            )

    def _running(self, log: Path) -> "subprocess.Popen[bytes]":
        """Return the server, started if there is none; `log` takes what it has to complain of."""
        if self._server is not None and self._server.poll() is not None:
            self.close()
        if self._server is None:
            with log.open("ab") as file:
                self._server = subprocess.Popen(
                    verb_command("cells", "--run", self._run),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=file,
                    bufsize=0,  # or a line might wait where `select` does not see it
                    env={**child_environment(), **self._environment},
                    start_new_session=True,
                )
        return self._server

    def close(self) -> None:
        """End the server, if one runs; no cell runs any more."""
        if self._server is not None and self._server.stdin and self._server.stdout:
            self._server.stdin.close()
            self._server.stdout.close()
            self._server.wait()
            self._server = None
