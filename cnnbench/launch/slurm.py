"""How do cells run under SLURM? An array of jobs, each of which takes cell after cell of the run.

A job that is preempted, or whose time is over, lets its cell save its state and is queued again.
submitit speaks to SLURM; its `local` cluster runs the same jobs as processes of this machine.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from cnnbench.base.exits import Exit, exit_of
from cnnbench.base.words import first_line, with_hint
from cnnbench.launch.engine import words_anywhere
from cnnbench.launch.open_cells import OpenCells
from cnnbench.launch.signals import RunBlocked, Stopped, StopSignal
from cnnbench.launch.work import work
from cnnbench.planning.request import PlanError, Request, RunOptions, plan_errors
from cnnbench.schema.cell import Cell, Plan
from cnnbench.store import RunFolder, StoreError

__all__ = ["PARAMETERS", "SlurmEngine", "checked", "require_cluster"]

# What submitit takes of sbatch's options, by the names that its users know.
PARAMETERS = (
    "account", "array_parallelism", "cluster", "comment", "constraint", "cpus_per_gpu",
    "cpus_per_task", "exclude", "exclusive", "gpus_per_node", "gres", "job_name", "mem_gb",
    "nodelist", "partition", "qos", "signal_delay_s", "time", "timeout_min",
)  # fmt: skip
SBATCH = {"timeout_min": "time", "mem_gb": "mem"}  # the names that sbatch knows
SLURM, LOCAL, SAFE_PATH = "slurm", "local", "PYTHONSAFEPATH"
TIMEOUTS = 10**6  # of one job: a cell may need many of its times
CLOSE_SECONDS = 10.0
PER_ARRAY, TIMEOUT_MINUTES = 256, 240  # where nothing else is asked for


class SlurmEngine:
    """An `Engine` on SLURM, or on processes of this machine with `cluster=local`."""

    def __init__(
        self, plan: Plan, run_folder: RunFolder, request: Request, options: RunOptions
    ) -> None:
        parameters = checked(options.slurm_parameters)
        self._most = int(parameters.get("array_parallelism", PER_ARRAY))
        self._executor = _executor(run_folder, parameters)
        self._restarts_left = options.times_to_retry * self._most
        self._worker = _Worker(
            run=str(run_folder.path.resolve()),
            words=tuple(words_anywhere(request, keeps=options.keeps(request))),
            jobs=options.jobs,
            retries=options.times_to_retry,
            hung_after=options.hung_after,
        )
        self._jobs: list[Any] = []
        self._looks_alone, self._is_stopping = 0, False
        self._is_on_slurm = parameters.get("cluster", SLURM) == SLURM

    def start(self, cells: Sequence[Cell]) -> None:
        """Submit one array, with a job for each cell or as many as may run at once."""
        n_jobs = min(len(cells), self._most)
        if not self._is_on_slurm:  # all of them are processes of this machine
            self._worker.beside = n_jobs
        self._submit(n_jobs)

    def look(self, cells: OpenCells) -> None:
        """Submit a job again that was lost, as often as a cell may be.

        Raises:
            RunBlocked: if a job met other data or a full disk, or no job is left.
        """
        ended = [job for job in self._jobs if job.done()]
        self._jobs = [job for job in self._jobs if job not in ended]
        lost = [reason for job in ended if (reason := _lost(job))]
        refused = [reason for job in ended if not _lost(job) and (reason := _refusal(job))]
        reasons = [*refused, *lost]
        if not len(cells) or self._is_stopping:
            return
        n_again = min(len(lost), self._restarts_left)
        self._restarts_left -= n_again
        self._submit(n_again)
        self._looks_alone += not self._jobs
        if self._looks_alone > 1:  # at the first, the last cell may have ended since it was seen
            why = reasons[-1] if reasons else "every job of the array has ended"
            raise RunBlocked(f"{why}, and cells are open; type the command again", Exit.FAILED)

    def stop(self) -> None:
        """Interrupt the jobs: their cells save their state. SLURM's own signal would be ignored."""
        self._is_stopping = True
        for job in self._jobs:
            with contextlib.suppress(Exception):  # it may have ended just now
                if self._is_on_slurm and job.state == "RUNNING":
                    subprocess.run(["scancel", "--signal=INT", job.job_id], check=False)
                else:
                    job.cancel()

    def close(self) -> None:
        """Cancel what does not end by itself: a job ends once no cell is left."""
        deadline = time.monotonic() + CLOSE_SECONDS
        while time.monotonic() < deadline and not all(job.done() for job in self._jobs):
            time.sleep(0.1)
        for job in self._jobs:
            with contextlib.suppress(Exception):
                if not job.done():
                    job.cancel()

    def _submit(self, n_jobs: int) -> None:
        if n_jobs:
            with _safe_path(), self._executor.batch():
                jobs = [self._executor.submit(self._worker) for _ in range(n_jobs)]
            self._jobs += jobs


@contextlib.contextmanager
def _safe_path() -> Iterator[None]:
    """Let a job take no module from the working folder; it has the environment of now."""
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        os.environ.pop(SAFE_PATH)
        if before is not None:
            os.environ[SAFE_PATH] = before


def checked(typed: dict[str, str]) -> dict[str, Any]:
    """Return what SLURM is asked for, numbers as numbers; PlanError for a name it does not know.

    >>> checked({"partition": "gpu", "timeout_min": "90"})
    {'partition': 'gpu', 'timeout_min': 90}
    """
    for name in typed:
        if name not in PARAMETERS:
            known = f"there are {', '.join(PARAMETERS)}"
            raise PlanError(with_hint(f"[slurm] has no {name!r}", name, PARAMETERS, known))
    return {name: _read(text) for name, text in typed.items()}


def require_cluster(parameters: dict[str, Any]) -> None:
    """Check that SLURM is there, unless this machine is to play it; PlanError."""
    cluster = parameters.get("cluster", SLURM)
    if cluster not in (SLURM, LOCAL):
        raise PlanError(f"[slurm] cluster is slurm or local, saw {cluster!r}")
    missing = [name for name in ("sbatch", "srun") if cluster == SLURM and not shutil.which(name)]
    if missing:
        raise PlanError(
            f"--executor slurm: no {' and no '.join(missing)} here; type it where SLURM's commands "
            "are, or try it out with --slurm cluster=local"
        )


def _read(text: str) -> Any:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return {"True": True, "False": False, "true": True, "false": False}.get(text, text)


def _executor(run_folder: RunFolder, parameters: dict[str, Any]) -> Any:
    """Return submitit's executor; its folder holds pickles, so nobody else may write there."""
    import submitit

    folder = run_folder.path / "slurm"
    folder.mkdir(mode=0o700, exist_ok=True)
    clusters = {SLURM: submitit.SlurmExecutor, LOCAL: submitit.LocalExecutor}
    cluster = parameters.get("cluster", SLURM)
    wanted = {"timeout_min": TIMEOUT_MINUTES} | parameters
    wanted.pop("cluster", None)
    if cluster == SLURM:
        wanted = {SBATCH.get(name, name): value for name, value in wanted.items()}
        if "mem" in wanted:
            wanted["mem"] = f"{wanted['mem']}GB"
    executor = clusters[cluster](folder=folder, max_num_timeout=TIMEOUTS)
    with plan_errors("[slurm]: "):
        executor.update_parameters(**wanted)
    return executor


def _lost(job: Any) -> str:
    """Say so if a job that has ended was killed, empty where it left word."""
    if not job.paths.result_pickle.exists():  # submitit would wait for it
        return f"job {job.job_id} was lost"
    error = job.exception()
    return f"job {job.job_id} was lost: {first_line(error)}" if error is not None else ""


def _refusal(job: Any) -> str:
    """Return why a job could not train where it was, empty where it could: another may.

    Raises:
        RunBlocked: if no other job could do better.
    """
    code, message = job.result()
    if code in (Exit.BUSY, Exit.USAGE):  # its device is taken, or it has none
        return str(message)
    if code:
        raise RunBlocked(message, code)
    return ""


# -- in a job -------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Worker:
    """What a job of the array does: what `cnnbench work` does; submitit pickles it."""

    run: str
    words: tuple[str, ...]
    jobs: int
    retries: int
    hung_after: float
    beside: int = 1
    _stop: StopSignal = field(default_factory=StopSignal)
    _working: Future[tuple[int, str]] | None = None

    def __call__(self) -> tuple[int, str]:
        """Take cells until all have ended; return an exit code and its message.

        It works in a thread, so that the main one can hear that the job's time is over.
        """
        with ThreadPoolExecutor(1) as pool:
            self._working = pool.submit(self._work)
            try:
                return self._working.result()
            except KeyboardInterrupt:
                self._end()
                raise

    def checkpoint(self) -> Any:
        """Let the cell save its state; return what is to run when the job is queued again."""
        from submitit.helpers import DelayedSubmission

        self._end()
        fresh = replace(self, _stop=StopSignal(), _working=None)
        return DelayedSubmission(fresh)

    def _work(self) -> tuple[int, str]:
        try:
            for _ in work(
                RunFolder(self.run),
                words=self.words,
                jobs=self.jobs,
                retries=self.retries,
                hung_after=self.hung_after,
                beside=self.beside,
                stop_signal=self._stop,
            ):
                pass
        except (RunBlocked, StoreError, PlanError) as error:
            return exit_of(error), str(error)
        except Stopped:
            pass
        return Exit.OK, ""

    def _end(self) -> None:
        self._stop.receive(signal.SIGTERM, None)
        if self._working is not None:
            self._working.result()
