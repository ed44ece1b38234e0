"""The options that the training verbs share, and how what was typed is read."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from cnnbench.tracking import Tracker

T = TypeVar("T")

Dataset = Annotated[str, typer.Option(help="A card's name, or a folder of images.")]
RecipeName = Annotated[str, typer.Option(help="common, one for all, or paper, each paper's own.")]
ImageSize = Annotated[int | None, typer.Option(help="Pixels.  [default: the paper's]")]
Memory = Annotated[
    str | None, typer.Option(help="Memory a model may use, like 8GiB; accumulates batches.")
]
Seeds = Annotated[str, typer.Option(help="How many seeds (3), or which (0,1,5).")]
Evaluations = Annotated[int | None, typer.Option(help="Tests on the way.  [default: 5]")]
Data = Annotated[
    list[str] | None, typer.Option(help="A card's option, KEY=VALUE; may be repeated.")
]
SkipBroken = Annotated[
    int | None,
    typer.Option(help="Leave out up to this many broken images, for every model.  [default: 0]"),
]
Device = Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")]
PrecisionName = Annotated[str, typer.Option(help="auto, fp32 or bf16.")]
Out = Annotated[str | None, typer.Option(help="Run folder.  [reports/<data>-<digest>]")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Train anew what is there.")]
FailFast = Annotated[
    bool, typer.Option("--fail-fast", help="End the run at the first cell that fails.")
]
HungAfter = Annotated[
    float, typer.Option(min=1, help="Seconds without a step until a cell counts as hung.")
]
Track = Annotated[Tracker | None, typer.Option(help="Export the curves to this program, too.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check and show the plan only.")]
Smoke = Annotated[bool, typer.Option("--smoke", help="A whole tiny run, for CI.")]


def _read_config(context: typer.Context, path: str | None) -> None:
    """Let a TOML file stand for flags that were not typed; its keys are the flags' names."""
    from cnnbench.planning.plan import PlanError

    if path is None:
        return
    try:
        values = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"--config {path}: {error}") from None
    known = {str(p.name) for p in context.command.params if p.name not in {"config", "help"}}
    flags = {_flag(name): name for name in known}
    settings = {}
    for key, value in values.items():
        if _flag(key) not in flags:
            raise PlanError(f"--config {path}: {unknown_word(key, sorted(flags), 'key')}")
        settings[flags[_flag(key)]] = _typed(value)
    context.default_map = settings


Config = Annotated[
    str | None,
    typer.Option(
        help="Flags from a TOML file; typed ones win.", callback=_read_config, is_eager=True
    ),
]


def _flag(name: str) -> str:
    return {"as_json": "json"}.get(name, name).replace("_", "-")


def _typed(value: Any) -> Any:
    """Return a TOML value as it would be typed: lists with commas, tables as KEY=VALUE."""
    if isinstance(value, dict):
        return [f"{key}={item}" for key, item in value.items()]
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def unknown_word(word: str, known: list[str], kind: str) -> str:
    """Return a sentence about a word that is not known, with the nearest that is."""
    import difflib

    near = difflib.get_close_matches(word, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {kind} {word!r}; {hint}there are {', '.join(known)}"


def listed(text: str) -> list[str]:
    """Split what was typed at its commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def numbers(flag: str, text: str | None, read: Callable[[str], T]) -> list[T]:
    """Read numbers with commas between; none if nothing was typed.

    Raises:
        PlanError: if one is no number.
    """
    from cnnbench.planning.plan import PlanError

    found = []
    for part in listed(text or ""):
        try:
            found.append(read(part))
        except ValueError:
            raise PlanError(f"{flag} {text!r}: {part!r} is no number") from None
    return found


def seed_list(text: str) -> list[int]:
    """Read `3` as three seeds, and `0,1,5` (or `5,`) as these seeds.

    Raises:
        PlanError: if it is neither.
    """
    from cnnbench.planning.plan import PlanError

    try:
        seeds = [int(part) for part in listed(text)]
    except ValueError:
        seeds = []
    if not seeds:
        raise PlanError(f"--seeds {text!r}: write how many (3) or which ones (0,1,5)")
    if "," in text:
        return seeds
    if seeds[0] < 1:
        raise PlanError(f"--seeds {text!r}: at least one seed is needed")
    return list(range(seeds[0]))


def data_options(data: list[str] | None, skip_broken: int | None = None) -> dict[str, str]:
    """Read the KEY=VALUE words of `--data`, to which `--skip-broken N` is one more.

    Raises:
        PlanError: if a word is none.
    """
    from cnnbench.planning.plan import PlanError

    words = [*(data or []), *([] if skip_broken is None else [f"skip_broken={skip_broken}"])]
    split = [word.partition("=") for word in words]
    for word, (key, equals, _) in zip(words, split, strict=True):
        if not key or not equals:
            raise PlanError(f"--data {word!r} must be KEY=VALUE, like --data seed=1")
    return {key: value for key, _, value in split}
