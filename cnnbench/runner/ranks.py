"""How do several processes serve one cell? What each does, and what starts and judges them.

The process that is asked for the cell supervises: torch's elastic launcher starts the ranks, sees
one die, ends the others, and passes signals on. It restarts none: fresh launches never failed in
trials, restarts in place did. The first rank holds the cell's folder and writes, as a lone process
does; the others take the same steps and write nothing.
"""

import contextlib
import json
import logging
import os
import signal
import sys
import tempfile
import time
import traceback
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from cnnbench.base.exits import Exit, exit_of
from cnnbench.base.files import write_text
from cnnbench.base.processes import child_environment, death_of, verb_command
from cnnbench.data import DataError
from cnnbench.engine.device import prepare_device
from cnnbench.engine.ranks import has_lost_neighbour, join_ranks
from cnnbench.engine.train import train
from cnnbench.runner.cell import (
    Interrupted,
    NeighbourLost,
    failure_reason,
    run_cell,
    write_failure,
)
from cnnbench.runner.inputs import (
    CellContext,
    evaluate_split,
    evaluate_training_sample,
    open_inputs,
    prepare_training,
)
from cnnbench.schema.events import Finished
from cnnbench.schema.result import Status
from cnnbench.store import DamagedError, StoreError

__all__ = ["serve_rank", "supervise_ranks"]

RELAUNCHES = 3  # of a cell that lost a rank; then it is a row
LOST = 75  # the exit code of a rank that did nothing wrong and lost a neighbour
MONITOR_SECONDS = 0.05
ERROR_FILE = "TORCHELASTIC_ERROR_FILE"  # where the launcher lets each rank say what went wrong


# -- one rank --------------------------------------------------------------------------------------


def serve_rank(context: CellContext, rank: int) -> int:
    """Take part in training a cell and return the exit code of this process.

    Only what the first rank returns, and what went wrong with others, says how the cell ended.
    """
    try:
        with context.folder.lock(wait_seconds=0.0) if rank == 0 else contextlib.nullcontext():
            ranks = join_ranks(context.device.torch_device, seed=context.cell.seed)
            context = replace(context, ranks=ranks)
            if rank == 0:
                if context.folder.is_final():  # another process has trained it meanwhile
                    return LOST
                context.folder.retry()
                return Exit.OK if run_cell(context).status == "done" else Exit.FAILED
            follow_cell(context)
            return Exit.OK
    except Interrupted:
        return Exit.STOPPED
    except NeighbourLost:
        return LOST
    except DamagedError as error:  # no checkpoint is sound: a failed row, as of one process
        return _tell(str(error), Exit.FAILED)
    except (DataError, StoreError, OSError) as error:
        with contextlib.suppress(OSError):
            print(error, file=sys.stderr, flush=True)
        return _tell(str(error), exit_of(error))
    except Exception as error:
        if has_lost_neighbour(error):
            return LOST
        traceback.print_exc()
        status, reason = failure_reason(error, context.cell)
        return _tell(reason, Exit.FAILED, status)


def follow_cell(context: CellContext) -> None:
    """Take every step of a cell that the first rank runs, and write nothing.

    Raises:
        DataError, StoreError: as `run_cell`.
    """
    cell = context.cell
    prepare_device(
        context.device,
        threads=context.threads,
        memory_bytes=cell.memory_bytes,
        deterministic=cell.deterministic,
    )
    inputs = open_inputs(cell, context.typed)
    training = prepare_training(context, inputs)
    checkpoint = context.folder.load_checkpoint()
    for event in train(training, checkpoint=checkpoint.state if checkpoint else None):
        if isinstance(event, Finished):
            if not training.curve_is_headline:
                split, views = inputs.dataset.headline_split, cell.recipe.test_views
                evaluate_split(context, training.model, inputs, split, views=views)
            evaluate_training_sample(context, training.model, inputs)


def _tell(reason: str, code: int, status: Status = "failed") -> int:
    """Say in this rank's error file what went wrong and when; return the exit code."""
    told = {"code": code, "status": status, "reason": reason, "at": time.monotonic_ns()}
    document = {"message": reason, "timestamp": int(time.time()), "told": told}
    with contextlib.suppress(StoreError):  # a full disk may refuse
        write_text(Path(os.environ[ERROR_FILE]), json.dumps(document))
    return code


# -- the supervisor --------------------------------------------------------------------------------


def supervise_ranks(context: CellContext, *, started: float) -> int:
    """Serve a cell by as many ranks as it has devices and return the exit code.

    A rank that is lost means a fresh launch of all, which goes on from the checkpoint. `started` is
    when this process did, on the monotonic clock.
    """
    logging.disable()  # torch's words would hide the last of a cell's own, which its row repeats
    os.environ.update(child_environment())
    # One machine: no port of the ranks is to be seen from another.
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
    try:
        _lead_stdin_here()
        return _launch_until_done(context, started)
    except SignalException as error:
        if error.sigval == signal.SIGABRT:  # the cell hung, and each rank has said where
            signal.signal(signal.SIGABRT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGABRT)
        return Exit.STOPPED


def _launch_until_done(context: CellContext, started: float) -> int:
    folder = context.folder
    for _ in range(1 + RELAUNCHES):
        if folder.is_final():  # a rank was lost after the result was on disk
            return Exit.OK if folder.result().status == "done" else Exit.FAILED
        failures = _launch(_rank_words(context, started), context.cell.ranks)
        judged = _judge(failures)
        if judged.code != LOST:
            break
        started = time.monotonic()  # what came before is in the checkpoint's clock, or was lost
    if not judged.reason:
        return judged.code
    if judged.code in (Exit.FAILED, LOST):
        torch.set_num_threads(context.threads or 1)  # as the ranks had, for the row to say
        with folder.lock():
            if not folder.is_final():
                write_failure(context, judged.status, judged.reason)
        return Exit.FAILED
    print(judged.reason, file=sys.stderr, flush=True)
    return judged.code


def _rank_words(context: CellContext, started: float) -> list[str]:
    """Return the words that serve one rank of a cell; its stdin leads to the supervisor."""
    run, typed = context.folder.path.parents[1], context.typed
    words = ["cell", "--rank", "--launched", "--started", repr(started), "--run", str(run)]
    words += ["--id", context.cell.id]
    words += ["--keep"] if context.keeps else []
    words += [f"--threads={context.threads * context.cell.ranks}"] if context.threads else []
    if typed:
        words += [f"--dataset={typed.dataset}"]
        words += [f"--data={key}={value}" for key, value in typed.data.items()]
    return words


def _launch(words: Sequence[str], ranks: int) -> Mapping[int, ProcessFailure]:
    """Start all ranks, wait until each has ended, and return what became of those that failed."""
    entrypoint, *rest = verb_command(*words)
    with tempfile.TemporaryDirectory(prefix="cnnbench-ranks-") as scratch:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=ranks,
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",  # a port that is free
            local_addr="localhost",
            max_restarts=0,
            monitor_interval=MONITOR_SECONDS,
            logs_specs=DefaultLogsSpecs(log_dir=scratch),
            signals_to_handle="SIGTERM,SIGINT,SIGABRT",
        )
        try:
            # The launcher reads a dollar sign as the beginning of a name.
            elastic_launch(config, entrypoint)(*(word.replace("$", "$$") for word in rest))
        except ChildFailedError as error:
            return error.failures
    return {}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Judgement:
    """How a launch ended: the exit code, `LOST` to try again, and what a row or a user is told."""

    code: int
    status: Status = "failed"
    reason: str = ""


def _judge(failures: Mapping[int, ProcessFailure]) -> _Judgement:
    """Tell the rank that failed first from those that only lost it.

    A rank says what went wrong before it ends, and its neighbours notice after that. One that died
    of a signal says nothing; SIGTERM is what the launcher ends the others with.
    """
    codes = {rank: failure.exitcode for rank, failure in failures.items()}
    if not codes or codes.get(0) == Exit.FAILED:  # then the first rank has written the row
        return _Judgement(code=codes.get(0, Exit.OK))
    told = [f.error_file_data["told"] for f in failures.values() if "told" in f.error_file_data]
    if told:
        first = min(told, key=lambda each: int(each["at"]))
        return _Judgement(code=first["code"], status=first["status"], reason=first["reason"])
    own = [code for code in codes.values() if code > 0 and code not in (LOST, Exit.STOPPED)]
    if own:  # it could not even say what
        return _Judgement(code=own[0])
    died = {rank: code for rank, code in codes.items() if code < 0 and code != -signal.SIGTERM}
    if died:
        rank, code = next(iter(died.items()))
        often = f"so it ended early {1 + RELAUNCHES} times; the same command continues it"
        reason = f"rank {rank} was {death_of(code)}, {often}"
        return _Judgement(code=LOST, status="killed", reason=reason)
    if LOST in codes.values():
        reason = "its ranks lost each other again and again; the same command continues it"
        return _Judgement(code=LOST, status="killed", reason=reason)
    return _Judgement(code=Exit.STOPPED)


def _lead_stdin_here() -> None:
    """Let stdin, which the ranks inherit, close when this process ends, however that comes about.

    They take that as any cell does whose launcher is gone: they save their state and end.
    """
    read_end, _ = os.pipe()  # nobody writes; the system closes the other end
    os.dup2(read_end, 0)
    os.close(read_end)
