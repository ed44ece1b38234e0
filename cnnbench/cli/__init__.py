"""Words in, exit code out: what `cnnbench` understands. Every verb imports its room inside."""

from __future__ import annotations

import shlex
import sys
import traceback

# Each file enters its verbs into the application; the order is the order of `--help`.
from cnnbench.cli import data, machine, networks, results, run  # noqa: F401
from cnnbench.cli.app import app


def main() -> None:
    """Run the command line and leave with the documented exit code."""
    debug = "--debug" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]
    try:
        app()
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        sys.exit(_explain(error))


def _explain(error: BaseException) -> int:
    """Print one clear message to stderr and return the exit code that belongs to it."""
    from cnnbench.data import DataError
    from cnnbench.launch.processes import CellError, Stopped
    from cnnbench.planning.plan import PlanError
    from cnnbench.report.analysis.two_runs import CannotCompare
    from cnnbench.store import BusyError, StoreError
    from zoo import UnknownModel

    if isinstance(error, Stopped):
        _say("stopped; all that was trained is saved. To continue, type again:")
        _say(f"  cnnbench {shlex.join(word for word in sys.argv[1:] if word != '--fresh')}")
        return error.exit_code
    if isinstance(error, CellError):
        _say(f"error: {error}")
        return error.exit_code
    codes: list[tuple[tuple[type[BaseException], ...], int]] = [
        ((PlanError, UnknownModel, CannotCompare), 2),
        ((DataError,), 3),
        ((BusyError,), 5),
        ((StoreError, OSError), 4),
        ((KeyboardInterrupt,), 130),
    ]
    for kinds, code in codes:
        if isinstance(error, kinds):
            _say("interrupted" if code == 130 else f"error: {error}")
            return code
    _say(f"internal error: {type(error).__name__}: {error}")
    _say("this is a fault of cnnbench; --debug shows where, please report it")
    return 70


def _say(text: str) -> None:
    print(text, file=sys.stderr)
