"""Words in, exit code out: what `cnnbench` understands. Every verb imports its room inside."""

import io
import sys
import traceback

# Each file enters its verbs into the application; the order is the order of `--help`.
from cnnbench.cli import runs, work, status, audit, networks, catalog, machine  # noqa: F401  # isort: skip
from cnnbench.base.exits import Exit, exit_of
from cnnbench.base.words import printable
from cnnbench.cli.options import app

__all__ = ["main"]


def main() -> None:
    """Run the command line and leave with the documented exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a terminal's code lacks is spelled
            stream.reconfigure(errors="backslashreplace")
    debug = "--debug" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]
    try:
        app(prog_name="cnnbench")
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        sys.exit(_explain(error))


def _explain(error: BaseException) -> int:
    """Print one clear message to stderr and return the exit code that belongs to it."""
    from cnnbench.launch.signals import Stopped

    def say(text: str) -> None:
        print(printable(text), file=sys.stderr)

    if isinstance(error, KeyboardInterrupt):
        say("interrupted")
        return Exit.INTERRUPTED
    if isinstance(error, Stopped):
        from cnnbench.report.text.escape import shell_command

        command = shell_command(word for word in sys.argv[1:] if word != "--fresh")
        say("stopped; all that was trained is saved. To continue, type again:")
        print(f"  cnnbench {command}", file=sys.stderr)  # letter by letter: it is typed again
        return error.exit_code
    code = exit_of(error)
    if code == Exit.INTERNAL:
        say(f"internal error: {type(error).__name__}: {error}")
        say("this is a fault of cnnbench; --debug shows where, please report it")
    else:
        say(f"error: {error}")
    return code
