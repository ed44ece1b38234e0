"""How do cells run on a Ray cluster? A task a cell; a task whose worker died is started again.

Where the machines see the run folder, results go there, and a cell goes on from its checkpoint.
Where they do not, a cell is trained in a folder of its own and comes home when it has ended.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnbench.base.exits import Exit, exit_of
from cnnbench.base.words import first_line
from cnnbench.launch.attempt import write_end
from cnnbench.launch.engine import words_anywhere
from cnnbench.launch.local import run_cells
from cnnbench.launch.open_cells import OpenCells
from cnnbench.launch.signals import RunBlocked, Stopped, caught_signals
from cnnbench.launch.slots import is_charged_for_time
from cnnbench.launch.warm import WarmServer
from cnnbench.planning.request import PlanError, Request, RunOptions
from cnnbench.schema.cell import Cell, Plan
from cnnbench.store import BusyError, CellFolder, RunFolder, StoreError
from cnnbench.store.parcel import pack, unpack
from cnnbench.version import __version__

if TYPE_CHECKING:
    from cnnbench.launch.slots import Start

__all__ = ["RayEngine", "require_reachable"]

CONNECT_SECONDS = 5.0
SEEN = ".seen-by-ray"  # a file of the run folder that tells whether a machine sees it


@dataclass(frozen=True, kw_only=True, slots=True)
class _Task:
    """What a worker is told of a cell; `token` is what the run folder has in its file `SEEN`."""

    run: str
    token: str
    cell: Cell
    words: tuple[str, ...]
    retries: int
    hung_after: float
    version: str = __version__


@dataclass(frozen=True, kw_only=True, slots=True)
class _Outcome:
    """What became of a task: an exit code with its message, and the files that must be carried."""

    code: int = Exit.OK
    message: str = ""
    files: bytes | None = None


class RayEngine:
    """An `Engine` on Ray: on the cluster at an address, or on one of its own on this machine."""

    def __init__(
        self, plan: Plan, run_folder: RunFolder, request: Request, options: RunOptions
    ) -> None:
        self._run_folder, self._options = run_folder, options
        self._token = os.urandom(8).hex()
        run_folder.write_text(SEEN, self._token)
        ray = _connected(options.ray_address)
        try:
            self._resources, threads = _resources(ray, plan, options.jobs)
        except PlanError:
            ray.shutdown()
            raise
        words = words_anywhere(request, keeps=options.keeps(request))
        self._words = (*words, f"--threads={threads}")
        self._tasks: dict[Any, CellFolder] = {}
        self._to_record: list[tuple[CellFolder, str]] = []
        self._to_bring: list[tuple[CellFolder, bytes]] = []
        self._is_stopping = False

    def start(self, cells: Sequence[Cell]) -> None:
        """Hand every cell to Ray, which starts as many at once as the cluster has room for."""
        import ray

        retries = self._options.times_to_retry
        # `max_calls`: a worker with a GPU would end after each cell, and import torch for the next.
        options: dict[str, Any] = {"retry_exceptions": False, "max_calls": 0, **self._resources}
        remote: Any = ray.remote(max_retries=retries, **options)(_train)
        for cell in cells:
            task = _Task(
                run=str(self._run_folder.path.resolve()),
                token=self._token,
                cell=cell,
                words=self._words,
                retries=retries,
                hung_after=self._options.hung_after,
            )
            self._tasks[remote.remote(task)] = self._run_folder.cell(cell)

    def look(self, cells: OpenCells) -> None:
        """Bring home what has ended; what Ray gave up becomes a row with the reason.

        Raises:
            RunBlocked: if a worker met other data, a full disk or another cnnbench.
        """
        import ray
        from ray.exceptions import RayError, RayTaskError, TaskCancelledError

        for task in self._ended():
            folder = self._tasks.pop(task)
            try:
                outcome: _Outcome = ray.get(task)
            except TaskCancelledError:
                continue
            except RayTaskError as error:
                self._to_record.append((folder, f"on Ray: {first_line(error.cause or error)}"))
                continue
            except RayError as error:  # the worker or its machine died, again and again
                self._to_record.append((folder, f"lost by Ray: {type(error).__name__}"))
                continue
            if outcome.code == Exit.STOPPED:  # by a machine that is to go, and not by us
                if not self._is_stopping:
                    self.start([folder.cell])
                continue
            if outcome.code != Exit.OK:
                raise RunBlocked(outcome.message, outcome.code)
            if outcome.files is not None:
                self._to_bring.append((folder, outcome.files))
        self._to_bring = [each for each in self._to_bring if not _bring_home(*each)]
        self._to_record = [each for each in self._to_record if not _record(*each)]

    def _ended(self) -> list[Any]:
        import ray

        if not self._tasks:
            return []
        ended: list[Any] = ray.wait(list(self._tasks), num_returns=len(self._tasks), timeout=0)[0]
        return ended

    def stop(self) -> None:
        """Interrupt every task: its cell saves its state and ends."""
        import ray

        self._is_stopping = True
        for task in self._tasks:
            ray.cancel(task, force=False)

    def close(self) -> None:
        """Cancel what is left and leave the cluster, which ends if it was started here."""
        import ray

        self.stop()
        ray.shutdown()
        (self._run_folder.path / SEEN).unlink(missing_ok=True)


def require_reachable(address: str | None) -> None:
    """Check that something listens at an address, for which Ray would wait minutes; PlanError."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():  # none, or `auto`
        return
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise PlanError(
            f"--ray-address {address}: nothing answers there ({error}); `ray status` on the head "
            "node says its address"
        ) from None


def _connected(address: str | None) -> Any:
    """Return Ray, connected to a cluster or to a new one here."""
    import ray

    handler = signal.getsignal(signal.SIGTERM)  # Ray would leave at once, with a code of its own
    try:
        ray.init(
            address=address or "local",
            include_dashboard=False if address is None else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise PlanError(f"--ray-address {address}: no cluster: {first_line(error)}") from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)
    return ray


def _resources(ray: Any, plan: Plan, jobs: int) -> tuple[dict[str, Any], int]:
    """Return what a task asks Ray for, and the threads that its cell may use.

    On processors a cell has the machine to itself, or a share of the `jobs` at once: machines are
    taken as large as the smallest. PlanError if the cluster has no such device.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    on_gpu = plan.cells[0].device == "cuda"
    with_device = [each for each in nodes if each.get("GPU" if on_gpu else "CPU", 0) >= 1]
    if not with_device:
        raise PlanError(
            f"the Ray cluster has no {'GPU' if on_gpu else 'CPU'} to train on; it has "
            f"{ray.cluster_resources()}"
        )
    sizes = sorted({int(each.get("CPU", 1)) for each in with_device})
    cpus = sizes[0]
    if not on_gpu and len(sizes) > 1 and is_charged_for_time(plan):
        raise PlanError(
            f"the machines of the Ray cluster have {sizes} cores, and under a budget in seconds a "
            "cell has a machine to itself; take a budget in epochs or images, or machines alike"
        )
    if not on_gpu:
        threads = max(1, cpus // jobs)
        return {"num_cpus": threads}, threads
    gpus = max(int(each["GPU"]) for each in with_device)
    n_devices = max(cell.devices for cell in plan.cells)
    if n_devices > 1 and jobs > 1:
        raise PlanError(
            f"--jobs {jobs} with --devices {n_devices}: on Ray a cell has its GPUs alone"
        )
    if n_devices > gpus:
        raise PlanError(f"--devices {n_devices}: no machine of the Ray cluster has so many GPUs")
    threads = max(1, cpus * n_devices // (gpus * jobs))
    return {"num_cpus": threads, "num_gpus": n_devices / jobs}, threads


def _bring_home(folder: CellFolder, files: bytes) -> bool:
    """Put a cell's files into the run; False while another process has it, which may end it."""
    try:
        with folder.lock(wait_seconds=0.0):
            if not folder.is_final():
                unpack(files, folder.path)
    except BusyError:
        return False
    return True


def _record(folder: CellFolder, reason: str) -> bool:
    """Give a lost cell its row, once nobody trains it any more; return whether it has one."""
    if folder.result_mark() is None:
        why = f"{reason}; the same command continues it"
        write_end(folder, "killed", why, here=False)
    return folder.result_mark() is not None


# -- in a worker of the cluster -------------------------------------------------------------------

_server: tuple[tuple[str, ...], WarmServer] | None = None


def _train(task: _Task) -> _Outcome:
    """Train one cell in this worker; the error of the cell itself is its row."""
    if task.version != __version__:
        wrong = f"a machine of the cluster has cnnbench {__version__}, the run {task.version}"
        return _Outcome(code=Exit.USAGE, message=wrong)
    seen = Path(task.run) / SEEN
    try:
        if seen.exists() and seen.read_text("utf-8") == task.token:
            _train_in(RunFolder(task.run), task)
            return _Outcome()
        with tempfile.TemporaryDirectory(prefix="cnnbench-") as place:
            run_folder = RunFolder(place)
            run_folder.write_cell(task.cell)
            _train_in(run_folder, task)
            return _Outcome(files=pack(run_folder.cell(task.cell).path))
    except Stopped:
        return _Outcome(code=Exit.STOPPED)
    except (RunBlocked, StoreError, OSError) as error:
        return _Outcome(code=exit_of(error), message=f"{os.uname().nodename}: {error}")


def _train_in(run_folder: RunFolder, task: _Task) -> None:
    cells = OpenCells(run_folder, [task.cell], retries=task.retries, again=False)
    slot: Start = _server_for(run_folder, task.words).start
    with caught_signals() as stop_signal:  # `ray.cancel` interrupts the main thread
        for _ in run_cells(cells, [slot], stop_signal, hung_after=task.hung_after):
            pass


def _server_for(run_folder: RunFolder, words: Sequence[str]) -> WarmServer:
    """Return the server of this worker, which serves one cell after another while it can."""
    global _server
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "")  # Ray may give each task another
    key = (str(run_folder.path), gpus, *words)
    if _server is None or _server[0] != key:
        if _server is not None:
            _server[1].close()
        _server = key, WarmServer(run_folder, words)
        atexit.register(_server[1].close)
    return _server[1]
