"""What did each network see and cost while it trained: its curves, its size, its seconds?"""

from collections.abc import Callable, Mapping, Sequence

from cnnbench.report.analysis.rows import seed_suffixes, unmeasured
from cnnbench.report.figures.cost import clock_picture, trade_picture
from cnnbench.report.figures.curves import curves_picture
from cnnbench.report.sections import Grid, Paragraph, RunReport, Section
from cnnbench.report.text.table import Table
from cnnbench.report.text.wording import MINUS, NOTHING, amount, decimals, join_and, percent
from cnnbench.schema.result import Row, RunSeconds


def training_section(report: RunReport) -> Section | None:
    """Show the curves; in HTML the page's own script draws them in place of the pictures."""
    lines, styles, chance = report.curves, report.styles, report.chance_on_curves
    if not lines:
        return None
    last = join_and([f"{line.label} {percent(float(line.top1[-1]))} %" for line in lines])
    alt = f"Accuracy and losses while training. Last accuracy: {last}."
    # Thousands of epochs on features would leave the networks that see images no width.
    heads = {cell.id for cell in report.plan.cells if cell.train == "head"}
    of_images = [line for line in lines if line.cell not in heads]
    return Section(
        title="While training",
        anchor="training",
        menu="While training",
        blocks=[
            Paragraph("Against epochs, how much each network saw:") if of_images else None,
            curves_picture(of_images, styles, "epochs", chance=chance, alt=alt)
            if of_images
            else None,
            Paragraph("Against charged seconds, what each network cost:"),
            curves_picture(lines, styles, "seconds", chance=chance, alt=alt),
        ],
    )


def trade_section(report: RunReport) -> Section | None:
    """Show accuracy against parameters, multiply-adds and speed."""
    picture = trade_picture(report.comparison, report.styles)
    if picture is None:
        return None
    return Section(title="Accuracy and what it costs", anchor="cost", blocks=[picture])


# -- the clock ------------------------------------------------------------------------------------

_CLOCK_NOTE = (
    'In seconds. Only "train" is charged to the budget, and "data wait" is part of it; "other" is '
    "in no bucket, such as starting Python."
)
_PARTS = ("preparing", "images", "pages", "total")
_NO_CELL = (
    "Nor is charged what belongs to no cell: {preparing} s to plan and to measure this machine, "
    "{images} s to {verb} the images, {pages} s to draw pages before this one. With the cells it "
    "was {total} s{commands} when this page was begun."
)


def clock_section(report: RunReport) -> Section:
    """Show where the seconds of every cell went."""
    timed = [row.seconds for row in report.drawn if row.seconds.total]
    train, total = (sum(getattr(s, key) for s in timed) for key in ("train", "total"))
    share = percent(train / total if total else 0.0, digits=0)
    alt = f"Charged training is {share} % of the wall-clock seconds of all cells."
    return Section(
        title="Where the time went",
        anchor="time",
        menu="Time",
        blocks=[
            clock_picture(report.drawn, report.names, alt=alt),
            Paragraph(_CLOCK_NOTE, note=True),
            Paragraph(no_cell_words(seconds, drawn=report.plan.dataset.drawn), note=True)
            if (seconds := report.seconds)
            else None,
            Grid(clock_table(report.rows, report.names), "Clock audit"),
        ],
    )


def no_cell_words(seconds: RunSeconds, *, drawn: bool) -> str:
    """Say where the seconds of a run went that belong to no cell, and how many there were."""
    several = f" over {seconds.commands} commands" if seconds.commands > 1 else ""
    parts = {key: decimals(getattr(seconds, key), 1) for key in _PARTS}
    return _NO_CELL.format(**parts, verb="draw" if drawn else "read", commands=several)


def clock_table(rows: Sequence[Row], names: Mapping[str, str]) -> Table:
    """Return where each cell's seconds went and how far it was off its budget, in plan order."""
    suffix = seed_suffixes(rows)
    lines = tuple((names[row.cell] + suffix[row.cell], *_budget_line(row)) for row in rows)
    columns = [column for column in _CLOCK if any(column[1](row) is not None for row in rows)]
    header = ("model", "budget", "used", "off by", *(title for title, _ in columns))
    seconds = [[decimals(read(row), 1) for _, read in columns] for row in rows]
    return Table(
        header=header,
        align="l" + "r" * (len(header) - 1),
        rows=tuple((*line, *of_row) for line, of_row in zip(lines, seconds, strict=True)),
        cells=tuple(row.cell for row in rows),
    )


_CLOCK: tuple[tuple[str, Callable[[Row], float | None]], ...] = (
    ("train", lambda row: row.seconds.train),
    ("data wait", lambda row: row.seconds.data_wait),
    ("eval", lambda row: row.seconds.eval),
    ("checkpoint", lambda row: row.seconds.checkpoint),
    ("warm-up", lambda row: row.seconds.warmup),
    ("build", lambda row: row.seconds.build),
    ("logging", lambda row: row.seconds.logging),
    ("gallery", lambda row: row.seconds.gallery),
    ("other", unmeasured),
    ("total", lambda row: row.seconds.total),
)


def _budget_line(row: Row) -> tuple[str, str, str]:
    budget = row.budget
    limit = amount(budget.currency, budget.limit)
    if budget.used is None:
        return limit, NOTHING, NOTHING
    used = amount(budget.currency, budget.used)
    if row.status != "done":
        return limit, used, NOTHING
    missed = 100 * (budget.used / budget.limit - 1)
    exact = "0 %" if budget.used == budget.limit else f"{missed:+.2f} %".replace("-", MINUS)
    return limit, used, exact
