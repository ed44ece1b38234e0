"""Words in, exit code out: what `cnnbench` understands. Every verb imports its room inside."""

import functools
import shlex
import sys
import traceback

# Each file enters its verbs into the application; the order is the order of `--help`.
from cnnbench.cli import runs, catalog, machine  # noqa: F401  # isort: skip
from cnnbench.cli.options import app


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
    from cnnbench.planning.request import PlanError
    from cnnbench.report.analysis.two_runs import CannotCompare
    from cnnbench.runner.worker import EXIT_BUSY, EXIT_DATA, EXIT_DISK
    from cnnbench.store import BusyError, StoreError
    from zoo import UnknownModel

    codes: dict[int, tuple[type[BaseException], ...]] = {
        2: (PlanError, UnknownModel, CannotCompare),
        EXIT_DATA: (DataError,),
        EXIT_BUSY: (BusyError,),
        EXIT_DISK: (StoreError, OSError),
    }
    say = functools.partial(print, file=sys.stderr)
    if isinstance(error, KeyboardInterrupt):
        say("interrupted")
        return 130
    if isinstance(error, Stopped):
        say("stopped; all that was trained is saved. To continue, type again:")
        say(f"  cnnbench {shlex.join(word for word in sys.argv[1:] if word != '--fresh')}")
        return error.exit_code
    code = next((code for code, kinds in codes.items() if isinstance(error, kinds)), None)
    if isinstance(error, CellError):
        code = error.exit_code
    if code is not None:
        say(f"error: {error}")
        return code
    say(f"internal error: {type(error).__name__}: {error}")
    say("this is a fault of cnnbench; --debug shows where, please report it")
    return 70
