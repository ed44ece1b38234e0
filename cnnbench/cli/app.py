"""What is common to all verbs: the application, its options, its exit codes."""

from __future__ import annotations

import time
from typing import Annotated

import typer

STARTED = time.monotonic()  # before torch is imported, so that a cell's total includes it

EXITS = """\
exit codes: 0 all done, 1 a cell failed or got worse, 2 usage, 3 data, 4 disk, 5 busy elsewhere,
70 internal error, 130/143 interrupted and resumable"""


def _leave(code: int) -> None:
    """Every verb returns its exit code."""
    raise typer.Exit(code)


app = typer.Typer(
    result_callback=_leave,
    pretty_exceptions_enable=False,
    name="cnnbench",
    help="Which classic CNN is best for my images, if each gets the same budget?",
    epilog="First try: cnnbench run --models alexnet,vgg,resnet --dataset fruits",
    add_completion=True,
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout.")]
