"""How is the real command line started hundreds of times without importing torch each time?

A server process imports torch and cnnbench once. For every trial it forks a child that runs the
command line's own entry; the trial may kill that child at any moment.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
WITNESS = "FAULTS_WITNESS"  # where a child says what its final weights hash to
CLOCK_BACK = "FAULTS_CLOCK_BACK"  # by how many seconds a child's wall clock is set back
INJECT = "FAULTS_INJECT"  # what goes wrong inside a child: oom, hang, train, eval


@dataclass(kw_only=True, slots=True)
class Child:
    """A forked process, of which the server tells how it ended."""

    pid: int
    server: ForkServer

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal; a child that has ended already does not mind."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self) -> int:
        """Return the exit code, or minus the signal."""
        return int(self.server.answer())


class ForkServer:
    """Starts children one at a time; a context manager around the server process."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "CI": "true", "OMP_NUM_THREADS": "1"},
        )
        assert self.answer() == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def start(
        self, argv: Sequence[str], *, cwd: Path, log: Path, env: Mapping[str, str] | None = None
    ) -> Child:
        """Run `cnnbench argv` in a forked child, its words appended to `log`."""
        assert self._process.stdin
        request = {"argv": list(argv), "cwd": str(cwd), "log": str(log), "env": dict(env or {})}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Child(pid=int(self.answer()), server=self)

    def run(
        self, argv: Sequence[str], *, cwd: Path, log: Path, env: Mapping[str, str] | None = None
    ) -> int:
        """Run `cnnbench argv` to its end and return the exit code, or minus the signal."""
        return self.start(argv, cwd=cwd, log=log, env=env).wait()

    def answer(self) -> str:
        """Return the server's next line."""
        assert self._process.stdout
        return self._process.stdout.readline().strip()


def _serve() -> None:
    import cnnbench.cli
    import cnnbench.report.write
    import cnnbench.runner.cell  # noqa: F401  (torch comes with it)
    import zoo

    # Laying out a network on the meta device loads another 800 modules; no thread is started.
    zoo.describe("lenet5-relu", num_classes=3)
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if not pid:
            _become(request)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(request: dict[str, Any]) -> None:
    os.setsid()
    os.chdir(request["cwd"])
    os.environ.update(request["env"])
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    sys.argv = ["cnnbench", *request["argv"]]
    _instrument()
    from cnnbench.cli import main

    code = 70
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.stdout.flush()
        os._exit(code)


def _instrument() -> None:
    """Let the child tell its final weights and its longest step, and do what is to go wrong."""
    if os.environ.get(WITNESS):
        _bear_witness(Path(os.environ[WITNESS]))
    if os.environ.get(CLOCK_BACK):
        _set_clock_back(float(os.environ[CLOCK_BACK]))
    if os.environ.get(INJECT):
        _inject(os.environ[INJECT])


def _bear_witness(path: Path) -> None:
    from cnnbench.engine import train
    from cnnbench.runner import cell

    write_success, step = cell.write_success, train._charged_step
    longest = 0.0

    def timed(state: Any, size: int) -> float:
        nonlocal longest
        before = state.training.clock.charged
        loss = step(state, size)
        longest = max(longest, state.training.clock.charged - before)
        return loss

    def witnessed(context: Any, training: Any, *rest: Any, **named: Any) -> Any:
        digest = hashlib.sha256()
        for name, value in training.model.state_dict().items():
            digest.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
        path.write_text(json.dumps({"sha256": digest.hexdigest(), "longest_step": longest}))
        return write_success(context, training, *rest, **named)

    cell.write_success, train._charged_step = witnessed, timed  # type: ignore[assignment]


def _set_clock_back(seconds: float) -> None:
    """Step the wall clock back for good, one second after the start."""
    real, start = time.time, time.monotonic()
    time.time = lambda: real() - (seconds if time.monotonic() > start + 1 else 0.0)


def _inject(what: str) -> None:
    import torch

    from cnnbench.engine import step, train
    from cnnbench.runner import cell, inputs

    def fail(*_: Any, **__: Any) -> Any:
        if what.startswith("oom"):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB (injected)")
        if what.startswith("hang"):
            time.sleep(3600)
        raise RuntimeError(f"injected while {what}")

    where: dict[str, tuple[Any, str]] = {
        "build": (cell, "prepare_training"),
        "train": (step, "_losses"),
        "oom": (step, "_losses"),
        "hang": (train, "_charged_step"),
        "eval": (inputs, "evaluate"),
    }
    setattr(*where[what], fail)


if __name__ == "__main__":
    _serve()
