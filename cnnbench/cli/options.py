"""The application, and how the flags of its training verbs come from their one declaration."""

import inspect
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

import typer
from typer.core import TyperCommand

from cnnbench.base.exits import Exit
from cnnbench.base.words import with_hint
from cnnbench.planning.request import Flag, PlanError, Request, RunOptions
from cnnbench.tracking import Tracker
from cnnbench.version import __version__

F = TypeVar("F", bound=Callable[..., Any])

STARTED = time.monotonic()  # before torch is imported, so that a cell's total includes it

EXITS = f"""\
exit codes: {Exit.OK} all done, {Exit.FAILED} a cell failed or got worse, {Exit.USAGE} usage, \
{Exit.DATA} data, {Exit.DISK} disk, {Exit.BUSY} busy elsewhere,
{Exit.INTERNAL} internal error, {Exit.INTERRUPTED}/{Exit.STOPPED} interrupted and resumable"""


class _EachFlagOnce(TyperCommand):
    """Refuses a flag that is typed twice, of which the last would win in silence."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words of a command; leave with code 2 if a flag is there twice."""
        _, _, typed = self.make_parser(ctx).parse_args(args=list(args))
        for param, times in Counter(typed).items():
            may_repeat = any(getattr(param, kind, False) for kind in ("multiple", "is_flag"))
            if times > 1 and not may_repeat:
                ctx.fail(
                    f"{param.opts[0]} is given {times} times; give it once, and where it takes "
                    "several values, with commas between"
                )
        return super().parse_args(ctx, args)


class _App(typer.Typer):
    """An application whose verbs all refuse a flag that is typed twice."""

    def command(self, name: str | None = None, **settings: Any) -> Callable[[F], F]:
        """Return what makes a function a verb."""
        return super().command(name, cls=_EachFlagOnce, **settings)


app = _App(
    pretty_exceptions_enable=False,
    name="cnnbench",
    help="Which classic CNN is best for my images, if each gets the same budget?",
    epilog="First try: cnnbench run --models alexnet,vgg,resnet --dataset fruits",
    add_completion=True,
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"cnnbench {__version__}")
        raise typer.Exit


def _leave(code: int | None, **_: object) -> None:
    """Leave with what a verb returned: its exit code, None for 0."""
    sys.exit(code)


@app.callback(help=app.info.help, result_callback=_leave)
def _application(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version)
    ] = False,
) -> None:
    """Take what stands before any verb."""


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout.")]
Track = Annotated[Tracker | None, typer.Option(help="Export the curves to this program, too.")]


def _read_config(context: typer.Context, path: str | None) -> None:
    """Let a TOML file stand for flags that were not typed; its keys are the flags' names."""
    if path is None:
        return
    try:
        values = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"--config {path}: {error}") from None
    params: dict[str, Any] = {p.opts[0].lstrip("-"): p for p in context.command.params}
    flags = sorted(params.keys() - {"config", "help"})
    typed = {}
    for key, value in values.items():
        flag = key.replace("_", "-")
        if flag not in flags:
            mistake = f"--config {path}: unknown key {key!r}"
            raise PlanError(with_hint(mistake, key, flags, f"there are {', '.join(flags)}"))
        text, is_list = _as_typed(value), getattr(params[flag], "multiple", False)
        typed[params[flag].name] = [text] if is_list and isinstance(text, str) else text
    context.default_map = typed


def _as_typed(value: Any) -> Any:
    """Return a TOML value as it would be typed: lists with commas, tables as KEY=VALUE."""
    if isinstance(value, dict):
        return [f"{key}={item}" for key, item in value.items()]
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


@dataclass(frozen=True, kw_only=True)
class Display:
    """What the command line adds to a request: where flags come from, and where results go."""

    config: Annotated[
        str | None,
        typer.Option(
            help="Flags from a TOML file; typed ones win.", callback=_read_config, is_eager=True
        ),
    ] = None
    track: Track = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and show the plan only.")] = (
        False
    )
    as_json: Json = False


Verb = Callable[[Request, RunOptions, Display], int]


def training_verb(
    *, without: Collection[str] = (), **changed: Flag
) -> Callable[[Verb], Callable[..., int]]:
    """Make a function a verb with the flags of `Request`, `RunOptions` and `Display`.

    typer reads a function's signature; here it is made of the fields of the three. The verb has no
    flag for the fields `without`, and other words for those `changed`.
    """
    owners: dict[str, tuple[type, str]] = {}  # of a parameter: its class and its field there
    parameters = []
    for owner in (Request, RunOptions, Display):
        hints = get_type_hints(owner, include_extras=True)
        for field in fields(owner):
            if field.name not in without:
                parameter = _parameter(field, hints[field.name], changed.get(field.name))
                parameters.append(parameter)
                owners[parameter.name] = owner, field.name

    def decorate(verb: Verb) -> Callable[..., int]:
        def call(**typed: Any) -> int:
            values: dict[type, dict[str, Any]] = {Request: {}, RunOptions: {}, Display: {}}
            for name, value in typed.items():
                owner, field_name = owners[name]
                values[owner][field_name] = value
            return verb(*(owner(**given) for owner, given in values.items()))

        call.__name__, call.__doc__ = verb.__name__, verb.__doc__
        call.__annotations__ = {each.name: each.annotation for each in parameters}
        call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return app.command(epilog=EXITS)(call)

    return decorate


def _parameter(field: Field[Any], hint: Any, changed: Flag | None) -> inspect.Parameter:
    """Return the parameter that typer reads as the flag of a field."""
    name, (kind, flag) = field.name, get_args(hint)
    if isinstance(flag, Flag):
        flag = changed or flag
        word = flag.name or name.replace("_", "-")
        kind = flag.typed or next(iter(get_args(kind)), kind)  # the first type of a union
        if field.default is None:
            kind = kind | None
        if flag.is_argument:
            name, hint = word, Annotated[kind, typer.Argument(help=flag.help)]
        else:
            hint = Annotated[kind, typer.Option(f"--{word}", help=flag.help, min=flag.least)]
    default = inspect.Parameter.empty if field.default is MISSING else field.default
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)
