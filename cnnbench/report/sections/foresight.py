"""What was the budget foreseen to buy, what did it buy, and how was the image size chosen?"""

from collections.abc import Sequence
from statistics import fmean

from cnnbench.planning.foresight import devices_note
from cnnbench.report.sections import Block, Grid, Paragraph
from cnnbench.report.text.table import Table, table_of
from cnnbench.report.text.wording import epochs_seen, significant
from cnnbench.schema.cell import Plan
from cnnbench.schema.foresight import Feed, SizeChoice
from cnnbench.schema.result import Row


def foresight_blocks(plan: Plan, rows: Sequence[Row]) -> list[Block]:
    """Say how the image size was chosen and what each network was to get, if the plan tells."""
    blocks: list[Block] = []
    choice = plan.size_choice
    if choice:
        blocks.append(Paragraph(choice_sentence(choice)))
    if choice and choice.tried:
        blocks.append(Grid(size_table(choice), "Image sizes that were looked at"))
    if plan.feeds:
        budget = min((cell.budget for cell in plan.cells), key=lambda budget: budget.limit)
        blocks.append(Paragraph(f"What {budget} was foreseen to buy, and what it bought:"))
        blocks.append(Grid(foreseen_table(plan, rows), "Foreseen and seen"))
        blocks += [Paragraph(note) for note in filter(None, (devices_note(plan),))]
    return blocks


def choice_sentence(choice: SizeChoice) -> str:
    """Say which image size was chosen and why."""
    sentence = f"The image size, {choice.chosen} pixels, was chosen: {choice.why.rstrip('.')}."
    return (
        f"{sentence} At each size that was looked at, who gets least:" if choice.tried else sentence
    )


def size_table(choice: SizeChoice) -> Table:
    """Return a line an image size, the largest first: which network gets least, and how much."""

    def pixels(feed: Feed) -> str:
        return f"{feed.image_size}{' (chosen)' if feed.image_size == choice.chosen else ''}"

    tried = sorted(choice.tried, key=lambda feed: -feed.image_size)
    return table_of(
        tried,
        [
            ("pixels", "l", pixels),
            ("least-fed network", "l", lambda feed: feed.model),
            ("images/s", "r", lambda feed: significant(feed.images_per_second)),
            ("epochs", "r", lambda feed: epochs_seen(feed.epochs)),
        ],
    )


def foreseen_table(plan: Plan, rows: Sequence[Row]) -> Table:
    """Return a line a network: what the smallest budget was to buy, and its finished seeds' means.

    The images a second that were seen are those of training; the foreseen ones were measured on a
    few steps.
    """
    several = len({feed.batch_size for feed in plan.feeds}) > 1
    smallest = min(cell.budget.limit for cell in plan.cells)

    def seen(feed: Feed, field: str) -> float | None:
        of_feed = [
            getattr(row, field)
            for row in rows
            if row.status == "done"
            and row.budget.limit == smallest
            and (row.name, row.batch_size) == (feed.model, feed.batch_size)
        ]
        known = [value for value in of_feed if value is not None]
        return fmean(known) if known else None

    return table_of(
        plan.feeds,
        [
            ("model", "l", lambda feed: feed.model),
            *([("batch size", "r", lambda feed: str(feed.batch_size))] if several else []),
            ("images/s foreseen", "r", lambda feed: significant(feed.images_per_second)),
            ("images/s", "r", lambda feed: significant(seen(feed, "images_per_second"))),
            ("epochs foreseen", "r", lambda feed: epochs_seen(feed.epochs)),
            ("epochs", "r", lambda feed: epochs_seen(seen(feed, "epochs"))),
        ],
    )
