"""Which commands make a run again, what do they give, and on what was it made?"""

import math
from collections.abc import Callable, Sequence
from pathlib import PurePath

from cnnbench.report.analysis.sweeps import swept
from cnnbench.report.sections import Console, Facts, Grid, Paragraph, RunReport, Section
from cnnbench.report.text.escape import shell_command
from cnnbench.report.text.table import Table
from cnnbench.schema.cell import Cell, Plan
from cnnbench.schema.names import labels
from cnnbench.schema.result import Row
from cnnbench.schema.start import Start

SAME_BITS = (
    "Typed again, this command gives the same bits on the same machine with the same versions, "
    "threads and precision."
)
SAME_STEPS = (
    "Typed again, this command takes the same steps. Some kernels of a GPU add up in another order "
    "each time, so without --deterministic the bits differ."
)
SAME_BUDGET = (
    "Typed again, this command gives every network the same budget; the machine's speed decides "
    "how many images that makes, so the weights differ."
)
_SAME_SIZE = "It also chooses the image size anew; --image-size keeps this one."
SAME_IMAGES = (
    "The learning rate then follows the images and no longer the budget's meter, so the weights "
    "differ."
)
_COMMANDS = f"To train on as many images again, one command a network. {SAME_IMAGES}"


def section(report: RunReport) -> Section:
    """Show the commands that make the run again, and on what it was made."""
    plan, rows = report.plan, report.rows
    exact, images, machine = exact_commands(plan, rows), images_table(plan, rows), environment(plan)
    return Section(
        title="To repeat it",
        anchor="repeat",
        menu="To repeat it",
        blocks=[
            Console([command(plan)]),
            Paragraph(what_it_gives(plan), code=("--deterministic", "--image-size")),
            Paragraph(_COMMANDS) if exact else None,
            Console(exact) if exact else None,
            Paragraph(_images(plan), code=("--budget", "--image-size")) if images else None,
            Grid(images, "Images") if images else None,
            Facts(machine) if machine else None,
        ],
    )


def _images(plan: Plan) -> str:
    """Say how a row of several can be trained on as many images again."""
    size = f" and {plan.size_choice.chosen} as --image-size" if plan.size_choice else ""
    return f"To train on as many images again, give a row's images as --budget{size}. {SAME_IMAGES}"


def what_it_gives(plan: Plan) -> str:
    """Say what the run's command gives when it is typed again."""
    if any(cell.budget.currency.is_metered for cell in plan.cells):
        return f"{SAME_BUDGET} {_SAME_SIZE}" if plan.size_choice else SAME_BUDGET
    varies = any(cell.device != "cpu" and not cell.deterministic for cell in plan.cells)
    return SAME_STEPS if varies else SAME_BITS


def command(plan: Plan) -> str:
    """Return the command that made the run, safe to paste into a shell."""
    return shell_command(["cnnbench", *_words(plan)])


def exact_commands(plan: Plan, rows: Sequence[Row]) -> list[str]:
    """Return a command for each finished row that trains on exactly as many images again.

    Only for budgets in seconds or joules, where the machine decides how many that are; empty
    otherwise, and where a network has several rows or the verb is not `run`: no one command has
    their images.
    """
    if not _has_one_row_each(plan):
        return []
    return [
        shell_command(["cnnbench", *_exact_words(plan, row)]) for row in rows if _has_images(row)
    ]


def images_table(plan: Plan, rows: Sequence[Row]) -> Table | None:
    """Return the images of each row, where a clock decided them and no command has them all."""
    called = labels(plan)
    lines = tuple(
        (called[row.cell], str(row.seed), f"{row.images_seen}img")
        for row in rows
        if _has_images(row)
    )
    if _has_one_row_each(plan) or not lines:
        return None
    return Table(header=("model", "seed", "--budget"), align="lrr", rows=lines)


def _has_images(row: Row) -> bool:
    """Tell whether a row finished and its machine decided on how many images."""
    return row.status == "done" and bool(row.images_seen) and row.budget.currency.is_metered


def _has_one_row_each(plan: Plan) -> bool:
    """Tell whether `cnnbench run` made the plan and every network has one row."""
    return _words(plan)[:1] == ["run"] and len({c.name for c in plan.cells}) == len(plan.cells)


def _words(plan: Plan) -> list[str]:
    words = list(plan.argv)
    if words and PurePath(words[0]).stem in {"cnnbench", "__main__"}:
        words = words[1:]
    return words or _planned_words(plan)


def _planned_words(plan: Plan) -> list[str]:
    """Return a command for these cells that needs neither a configuration nor defaults."""
    verb = "sweep" if swept(plan) else "run"  # `run` takes one rate and one batch size
    bare = {
        "--smoke": any(cell.subset for cell in plan.cells),
        "--deterministic": any(cell.deterministic for cell in plan.cells),
    }
    typed = (flag for flag, is_typed in bare.items() if is_typed)
    return [verb, *(word for option in _options(plan) for word in option), *typed]


def _options(plan: Plan) -> list[tuple[str, str]]:
    """Return the options that plan these cells: a run from Python has no command of its own.

    Trials choose the learning rate anew, so a tuned plan asks for as many, around the same rate.
    """
    cells = plan.cells
    # Trials lie at equal ratios around one rate, and have three digits.
    tried = {t.model: f"{math.sqrt(t.rates[0] * t.rates[-1]):.3g}" for t in plan.tuned}
    options: list[tuple[str, Callable[[Cell], object]]] = [
        ("--models", lambda cell: _typed(cell.model, cell.start)),
        ("--dataset", lambda cell: cell.dataset),
        ("--budget", lambda cell: str(cell.budget)),
        ("--recipe", lambda cell: "" if cell.start else cell.recipe.name),
        ("--train", lambda cell: cell.train if cell.start else ""),
        ("--weights-scaling", _typed_scaling),
        ("--lr", lambda cell: float(tried.get(cell.name, cell.recipe.lr))),
        ("--batch-size", lambda cell: cell.recipe.batch_size),
        ("--image-size", lambda cell: "auto" if plan.size_choice else cell.image_size),
        ("--memory", lambda cell: f"{cell.memory_bytes}B" if cell.memory_bytes else ""),
        ("--evaluations", lambda cell: cell.evaluations),
        ("--device", lambda cell: cell.device),
        ("--devices", lambda cell: cell.devices if cell.devices > 1 else ""),
        ("--parallel", lambda cell: "towers" if cell.parallel == "towers" else ""),
        ("--batchnorm-over", lambda cell: "all" if cell.batchnorm_over == "all" else ""),
        ("--precision", lambda cell: cell.precision),
    ]
    values = {
        name: list(dict.fromkeys(text for cell in cells if (text := str(read(cell)))))
        for name, read in options
    }
    # What else differs between the cells was not asked for: it is each network's own default.
    lists = {
        "--models",
        "--train",
        "--budget",
        *(f"--{key.replace(' ', '-')}" for key in swept(plan)),
    }
    asked = {name: v for name, v in values.items() if v and (name in lists or len(v) == 1)}
    data = cells[0].dataset_options if cells else {}
    seeds = list(dict.fromkeys(cell.seed for cell in cells))
    listed = ",".join(map(str, seeds)) + ("," if len(seeds) == 1 else "")
    counted = str(len(seeds)) if seeds == list(range(len(seeds))) else listed
    return [
        *((name, ",".join(texts)) for name, texts in asked.items()),
        *(("--data", f"{key}={value}") for key, value in data.items()),
        *(("--tune", str(len(tuned.rates))) for tuned in plan.tuned[:1]),
        ("--seeds", counted),
    ]


def _typed(model: str, start: Start | None) -> str:
    """Return a model as it is typed: with the path of a file of weights that no card knows."""
    file = start.file if start else ""
    return f"{model.partition('@')[0]}@{file}" if file else model


def _typed_scaling(cell: Cell) -> str:
    """Return what `--weights-scaling` says of such a file; empty where no file was typed."""
    start = cell.start
    if start is None or not start.file:
        return ""
    if start.mean is None or start.std is None:
        return "images"
    return "/".join(",".join(map(str, values)) for values in (start.mean, start.std))


def _exact_words(plan: Plan, row: Row) -> list[str]:
    """Replace models, budget and trials in a command, and let it choose a folder of its own.

    A configuration may hold those too, so all is asked for without it.
    """
    changed = {"--models": _typed(row.model, row.start), "--budget": f"{row.images_seen}img"}
    if row.start:
        changed["--train"] = row.train
    if plan.tuned:
        changed["--lr"] = str(row.lr)
    if plan.size_choice:  # it followed from a budget that this command does not have
        changed["--image-size"] = str(row.image_size)
    dropped, bare = (*changed, "--train", "--out", "--tune"), ("--fresh", "--json", "--dry-run")
    words = _words(plan)
    if any(word.partition("=")[0] == "--config" for word in words):
        words = _planned_words(plan)
    kept, rest = [], iter(words)
    for word in rest:
        if word in dropped:
            next(rest, None)  # its value goes with it
        elif word not in bare and not word.startswith(tuple(f"{name}=" for name in dropped)):
            kept.append(word)
    return [*kept, *(part for option in changed.items() for part in option)]


_AMONG_SETTINGS = ("line", "precision_why", "threads")


def environment(plan: Plan) -> list[tuple[str, str]]:
    """Return what the plan saw of its machine when it was made, as (name, value)."""
    return [
        (key.replace("_", " "), str(value))
        for key, value in plan.machine.items()
        if value is not None and key not in _AMONG_SETTINGS
    ]
