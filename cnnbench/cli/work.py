"""The verb with which other machines help: `work` takes cells of a run's folder."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from cnnbench.base.exits import Exit
from cnnbench.cli.options import EXITS, app
from cnnbench.planning.request import RETRIES_ELSEWHERE, PlanError, Request, RunOptions

if TYPE_CHECKING:
    from cnnbench.store import RunFolder

KEEP_HELP = "Trained networks to keep: all or none.  [as `run`: none of a sweep or smoke run]"


@app.command(epilog=EXITS)
def work(
    folder: Annotated[str, typer.Argument(help="A run folder that `cnnbench run` has begun.")],
    max_cells: Annotated[int | None, typer.Option(min=1, help="Leave after so many cells.")] = None,
    idle_exit: Annotated[
        str | None, typer.Option(help="Leave after a time without a cell, like 60s.")
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=1, help="Cells at once on a device; not under a budget in seconds.")
    ] = 1,
    retries: Annotated[
        int, typer.Option(min=0, help="Restarts of a cell whose process was killed.")
    ] = RETRIES_ELSEWHERE,
    keep: Annotated[str | None, typer.Option(help=KEEP_HELP)] = None,
    dataset: Annotated[
        str, typer.Option(help="The images, where they lie elsewhere on this machine.")
    ] = "",
    data: Annotated[list[str] | None, typer.Option(help="As `run`, with --dataset.")] = None,
    hung_after: Annotated[
        float, typer.Option(min=1, help="Seconds without a step until a cell counts as hung.")
    ] = RunOptions.hung_after,
) -> int:
    """Train cells of a run that nobody trains; on as many machines as see the folder."""
    from cnnbench.cli.show.console import stderr_console
    from cnnbench.cli.show.progress import Progress
    from cnnbench.launch.engine import words_of
    from cnnbench.launch.local import Idle
    from cnnbench.launch.signals import caught_signals
    from cnnbench.launch.work import keeps_by_default
    from cnnbench.launch.work import work as work_on
    from cnnbench.store import RunFolder

    if keep not in (None, "all", "none"):
        raise PlanError(f"unknown --keep {keep!r}; there is all and none")
    run_folder, ended = RunFolder(folder), Counter[str]()
    keeps = keep == "all" or (keep is None and keeps_by_default(run_folder.plan()))
    typed = Request("", dataset, dataset_options=data).data if dataset else {}
    with (
        _told_where_images_may_lie(dataset),
        Progress(stderr_console()) as progress,
        caught_signals() as stop_signal,
    ):
        for update in work_on(
            run_folder,
            words=words_of(dataset, typed, keeps=keeps),
            jobs=jobs,
            retries=retries,
            hung_after=hung_after,
            most=max_cells,
            idle=Idle(tell=progress.wait, seconds=_seconds(idle_exit)),
            on_notice=progress.note,
            on_start=progress.join,
            stop_signal=stop_signal,
        ):
            progress.update(update)
            if update.result.status != "running":
                ended[update.result.status] += 1
    _show_end(run_folder, ended)
    return int(any(status != "done" for status in ended))


def _show_end(run_folder: "RunFolder", ended: Counter[str]) -> None:
    """Say what ended while this process worked, what is open, and what to type next."""
    from cnnbench.cli.show.console import say
    from cnnbench.report.text.escape import shell_command

    n_open = sum(run_folder.cell(c).result_mark() is None for c in run_folder.plan().cells)
    ends = ", ".join(f"{count} {status}" for status, count in ended.items())
    say(f"ended meanwhile, here or elsewhere: {ends or 'nothing'}")
    say(f"still open: {n_open}")
    verb = "status" if n_open else "report"
    say(f"next: {shell_command(['cnnbench', verb, str(run_folder.path)])}")


@contextlib.contextmanager
def _told_where_images_may_lie(dataset: str) -> Iterator[None]:
    """Let an error of the images end with the flag that helps where they lie elsewhere here."""
    from cnnbench.launch.signals import RunBlocked

    try:
        yield
    except RunBlocked as error:
        if error.exit_code != Exit.DATA or dataset:
            raise
        advice = "if the images lie elsewhere on this machine, --dataset says where"
        raise RunBlocked(f"{error}; {advice}", error.exit_code) from None


def _seconds(text: str | None) -> float | None:
    """Return the seconds of a time like 60s; PlanError if it is none."""
    from cnnbench.schema.budget import Budget, Currency

    if text is None:
        return None
    with contextlib.suppress(ValueError):
        budget = Budget.parse(text)
        if budget.currency is Currency.SECONDS:
            return budget.limit
    raise PlanError(f"--idle-exit must be a time like 90s, 2m or 1h, saw {text!r}")
