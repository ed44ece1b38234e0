"""How is it shown what a budget will buy, before it is spent?"""

import math

from cnnbench.planning.foresight import devices_note, not_foreseen, seconds_to_end
from cnnbench.schema.cell import Plan
from cnnbench.schema.foresight import STARVED_EPOCHS, Feed


def foresight_lines(plan: Plan) -> list[str]:
    """Return which image size was chosen and why, and a line a network."""
    lines = []
    if choice := plan.size_choice:
        lines.append(f"images of {choice.chosen} pixels: {choice.why}")
    if not plan.feeds:
        return lines
    budget = min((cell.budget for cell in plan.cells), key=lambda each: each.limit)
    width = max(len(_name(feed, plan)) for feed in plan.feeds)
    lines.append(f"foreseen, with {budget} each:")
    if warning := plan.machine.get("speeds"):
        lines[-1] = f"foreseen, with {budget} each, by speeds {warning}:"
    lines += [f"{_name(feed, plan):{width}}  {_words(feed)}" for feed in plan.feeds]
    if unknown := not_foreseen(plan):
        lines.append(f"the speed of {', '.join(unknown)} could not be measured: not foreseen")
    return [*lines, *filter(None, (devices_note(plan),))]


def time_lines(plan: Plan) -> list[str]:
    """Return a line that says how long all will take, none where that is not known."""
    seconds = seconds_to_end(plan)
    if not seconds:
        return []
    return [f"about {_minutes(seconds)} in all, once the images are there"]


def _name(feed: Feed, plan: Plan) -> str:
    batches = {each.batch_size for each in plan.feeds}
    return f"{feed.model} batch {feed.batch_size}" if len(batches) > 1 else feed.model


def _words(feed: Feed) -> str:
    rate = feed.images_per_second
    words = f"{rate:>7,.0f} images/s  " if rate else ""
    words += f"{feed.epochs:>6.1f} epochs"
    if feed.is_starved:
        remedies = " or ".join(feed.remedies)
        words += f"  too few to be ranked by ({STARVED_EPOCHS:g} are): {remedies} feeds it"
    return words


def _minutes(seconds: float) -> str:
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes / 60:.1f} h"
