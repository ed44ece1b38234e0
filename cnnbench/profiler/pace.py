"""How many images a second does a network train on here? A few steps tell, and the answer is kept.

One process measures all that a plan asks for, one network after the other, so that torch is
imported once. What it measured is kept in the cache folder, for a machine, a network, a size, a
batch and a precision.
"""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from cnnbench.base.digests import digest_of
from cnnbench.base.files import StoreError, write_text
from cnnbench.base.processes import child_environment, others_running, verb_command
from cnnbench.data.pixels.cache import cache_folder
from cnnbench.engine.hardware import Hardware
from cnnbench.profiler.calibration import identity_of
from cnnbench.profiler.profiles import ProfileJob, job_of
from cnnbench.schema.cell import Cell, Plan

__all__ = ["PaceMeter", "serve_paces"]

VERSION = 1
SECONDS_A_PACE = 1.0
FEW_IMAGES = 8  # of a first step, which tells whether a whole batch can be waited for
LONGEST_STEP_SECONDS = 1.0
LEAST_STEPS = 2


@dataclass(kw_only=True, slots=True)
class PaceMeter:
    """Tells the images a second of networks in training; a context manager around the asking.

    The process that measures is started by the first question that has no kept answer;
    `on_measure` hears of each such question. `was_disturbed` says whether something else ran
    meanwhile, so that the answers may be too low.
    """

    hardware: Hardware
    on_measure: Callable[[Cell], None] = lambda cell: None
    was_disturbed: bool = False
    _known: dict[str, float | None] = field(default_factory=dict)
    _process: "subprocess.Popen[str] | None" = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.kill()  # it holds nothing, and taking torch down would cost a second
            self._process.communicate()
            self._process = None

    def pace_of(self, cell: Cell, plan: Plan) -> float | None:
        """Return how many images a second a cell trains on; None if it cannot be measured here."""
        job = job_of(cell, plan)
        machine = {**identity_of(self.hardware), "gpu": self.hardware.gpu}
        identity = machine | job.model_dump(exclude={"seconds"})
        key = digest_of(identity)
        if key not in self._known:
            rate = _kept(key)
            if rate is None:
                self.on_measure(cell)
                is_quiet = others_running() == 0
                rate = self._measured(job)
                if is_quiet:  # what other programs slowed down is nothing to remember
                    _keep(key, identity, rate)
                else:
                    self.was_disturbed = True
            self._known[key] = rate
        return self._known[key]

    def _measured(self, job: ProfileJob) -> float | None:
        """Ask the process that measures; a network that it cannot train may end it."""
        if self._process is None:
            self._process = subprocess.Popen(
                verb_command("pace"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
                env=child_environment(),
                start_new_session=True,  # Ctrl-C is the launcher's alone
            )
        process = self._process
        assert process.stdin
        assert process.stdout
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(job.model_dump_json() + "\n")
            process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            process.communicate()
            self._process = None
            return None
        rate: float | None = json.loads(answer)
        return rate


def _path_of(key: str) -> Path:
    return cache_folder() / "calibration" / f"pace-{key}.json"


def _kept(key: str) -> float | None:
    try:
        document = json.loads(_path_of(key).read_bytes())
        rate = float(document["images_per_second"])
        return rate if document["version"] == VERSION and rate > 0 else None
    except (OSError, StoreError, ValueError, KeyError, TypeError):  # absent or damaged
        return None


def _keep(key: str, identity: dict[str, Any], rate: float | None) -> None:
    """Keep a rate that could be measured; a cache that cannot be written keeps nothing."""
    if rate is None:
        return
    content = {"version": VERSION, "images_per_second": rate, "of": identity}
    with contextlib.suppress(StoreError):
        write_text(_path_of(key), json.dumps(content, indent=1))


# -- the process that measures ---------------------------------------------------------------------


def serve_paces() -> None:
    """Answer each job of stdin with its images a second as JSON, null where it cannot be done."""
    for line in sys.stdin:
        job = ProfileJob.model_validate_json(line)
        try:
            rate: float | None = measure_pace(job)
        except (ValueError, RuntimeError, MemoryError):
            rate = None
        print(json.dumps(rate), flush=True)


def measure_pace(job: ProfileJob) -> float:
    """Return how many images a second a network trains on, from a few steps on drawn noise.

    Where a whole batch would take more than a second, as on a slow processor, a small one stands
    for it: what is done for each image counts as often as the batch has images, the optimizer's
    pass over the weights once. The fastest step counts: others met something else that ran.

    Raises:
        ValueError: the image is too small for the network.
        RuntimeError: the device cannot do it, for instance for lack of memory.
    """
    from cnnbench.profiler.steps import Bench

    bench = Bench(job, init="paper")
    n_images = min(FEW_IMAGES, job.batch_size)
    bench.step(n_images=n_images)  # the first step picks kernels
    for _ in range(LEAST_STEPS):
        bench.step(bench.measure, n_images=n_images)
    once = bench.least("optimizer")
    each = sum(bench.least(part) for part in ("data", "forward", "backward")) / n_images
    batch_seconds = once + each * job.batch_size
    if batch_seconds > LONGEST_STEP_SECONDS or n_images == job.batch_size:
        return job.batch_size / batch_seconds
    bench.step()
    start, steps = time.perf_counter(), 0
    while steps < LEAST_STEPS or time.perf_counter() - start < SECONDS_A_PACE:
        with bench.measure("step"):
            bench.step()
        steps += 1
    return job.batch_size / bench.least("step")
