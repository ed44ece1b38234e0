"""Which kept network of a run is meant: the one that ranked first, or the one that is named?"""

from collections.abc import Sequence
from dataclasses import dataclass

import zoo
from cnnbench.base.exits import Exit
from cnnbench.base.words import with_hint
from cnnbench.data import shortlist
from cnnbench.report.analysis.comparison import Comparison, compare
from cnnbench.report.analysis.entries import Entry
from cnnbench.report.analysis.rows import read_rows
from cnnbench.report.text.escape import shell_command
from cnnbench.report.text.wording import join_and
from cnnbench.schema.cell import Cell, Plan
from cnnbench.schema.names import labels
from cnnbench.store import RunFolder, StoreError

__all__ = ["Choice", "NotRanked", "UnknownNetwork", "choose_network"]


class UnknownNetwork(LookupError):
    """A name that no network of the run has."""

    exit_code = Exit.USAGE


class NotRanked(LookupError):
    """No network of the run ranked first; the message says why and what to type."""

    exit_code = Exit.USAGE


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The cell whose kept network is meant; `label` is what the report calls it.

    `why` says how it was chosen, where that could have gone otherwise. `tied` are the labels of
    the networks that the test images cannot tell from it; None where that is not known.
    """

    cell: Cell
    label: str
    why: str
    tied: tuple[str, ...] | None = ()


def choose_network(run: RunFolder, model: str | None = None) -> Choice:
    """Return the kept network that ranked first, or the one called `model`.

    `model` is a label of the report, a network's name or a cell's id. Of several that tie for the
    first place it is the one with the fewest multiply-adds; of several cells of a name the one of
    the largest budget and the first seed. None is chosen by its accuracy among equals.

    Raises:
        UnknownNetwork: if the run has none of that name.
        NotRanked: if none is named, and the run's machines are too unlike for a rank.
        StoreError: if the folder holds no run, or the network was not kept.
    """
    plan, rows = run.plan(), read_rows(run)
    names = labels(plan)
    done = {row.cell for row in rows if row.status == "done"}
    kept = [cell for cell in plan.cells if cell.id in done and run.cell(cell).has_network()]
    if not kept:
        raise StoreError(f"{run.path} keeps no network; {_how_to_keep(plan)}")
    comparison = compare(run, rows)
    if model is None:
        labels_kept = sorted({names[cell.id] for cell in kept})
        if comparison.machines.are_withheld and len(set(names.values())) > 1:
            raise _not_ranked(run, comparison, labels_kept)
        label, why = _first_ranked(comparison, set(labels_kept))
        cells = [cell for cell in kept if names[cell.id] == label]
    else:
        cells, why = _kept_of_name(plan, model, kept), ""
    cell, which = _one_of(cells)
    return Choice(
        cell=cell,
        label=names[cell.id],
        why="; ".join(filter(None, (why, which))),
        tied=_tied_with(comparison, names[cell.id]),
    )


def _not_ranked(run: RunFolder, comparison: Comparison, kept: Sequence[str]) -> NotRanked:
    named = shell_command([f"{run.path}:{kept[0]}"])
    command = shell_command(["cnnbench", "report", str(run.path), "--across-machines"])
    machines = "; ".join(comparison.machines.unlike)
    return NotRanked(
        f"no network of {run.path} ranked first: its rows are of unlike machines, whose "
        f"{comparison.machines.unit} do not compare: {machines}. Name one of {shortlist(kept)}, "
        f"like {named}; or rank them as they are with: {command}"
    )


def _first_ranked(comparison: Comparison, kept: set[str]) -> tuple[str, str]:
    """Return the label that ranks first, of several that tie the cheapest, and why."""
    ranking, ranked = comparison.without(comparison.starved), "ranked first"
    if not ranking.entries:  # nothing saw enough, so that the report ranks nothing
        ranking, ranked = comparison, "has the highest score; it is too early to rank"
    if not ranking.entries:
        raise StoreError("no network has finished under the largest budget yet; name one of these")
    places = {0}.union(*(group for group in ranking.ties if 0 in group))
    first = [ranking.entries[place] for place in sorted(places)]
    left = [entry for entry in first if entry.label in kept]
    if not left:
        raise StoreError(
            f"the network that ranked first, {join_and([entry.label for entry in first])}, was not "
            f"kept; kept are {shortlist(sorted(kept))}: name one"
        )
    chosen = min(left, key=_macs)
    if len(first) == 1:
        return chosen.label, f"{chosen.label} {ranked}"
    tie = f"{join_and([entry.label for entry in first])} tie for the first place"
    of = "" if len(left) == len(first) else " of those that were kept"
    return chosen.label, f"{tie}; {chosen.label} is the cheapest{of}"


def _macs(entry: Entry) -> float:
    return min(row.macs or 0 for row in entry.rows)


def _kept_of_name(plan: Plan, model: str, kept: Sequence[Cell]) -> list[Cell]:
    """Return the kept cells that a name stands for; an error where there is none."""
    names, named = labels(plan), _named(plan, model)
    if not named:
        every = list(dict.fromkeys(names.values()))
        known = [*every, *(cell.id for cell in plan.cells)]
        wrong = f"this run has no network {model!r}"
        raise UnknownNetwork(with_hint(wrong, model, known, f"it has {shortlist(every)}"))
    cells = [cell for cell in named if cell in kept]
    if not cells:
        there = shortlist(dict.fromkeys(names[cell.id] for cell in kept))
        raise StoreError(
            f"the network of {model} was not kept; kept are {there}, or {_how_to_keep(plan)}"
        )
    return cells


def _named(plan: Plan, model: str) -> list[Cell]:
    """Return the cells of an id, of a label or of a network, in this order."""
    names = labels(plan)
    try:
        network = zoo.resolve(model)
    except LookupError:
        network = model
    cells = plan.cells
    return (
        [cell for cell in cells if cell.id == model]
        or [cell for cell in cells if names[cell.id] == model]
        or [cell for cell in cells if cell.model == network]
    )


def _one_of(cells: Sequence[Cell]) -> tuple[Cell, str]:
    """Return the cell of the largest budget that was planned first, and what else it could be."""
    chosen = max(cells, key=lambda cell: cell.budget.limit)  # of equal ones the first
    said = []
    if len({cell.budget for cell in cells}) > 1:
        said.append(f"the largest budget, {chosen.budget}")
    if len({cell.seed for cell in cells}) > 1:
        said.append(f"the first seed, {chosen.seed}")
    if len(cells) > 1 and not said:
        said.append("the first as planned")
    return chosen, f"of its {len(cells)} networks that of {join_and(said)}" if said else ""


def _tied_with(comparison: Comparison, label: str) -> tuple[str, ...] | None:
    """Return the labels that share a tie group with an entry, best first; None if withheld."""
    if comparison.machines.are_withheld:
        return None
    for rung in comparison.rungs:
        place = next((i for i, entry in enumerate(rung.entries) if entry.label == label), None)
        if place is not None:
            places = {place}.union(*(group for group in rung.ties if place in group))
            return tuple(rung.entries[i].label for i in sorted(places - {place}))
    return ()


def _how_to_keep(plan: Plan) -> str:
    """Return the command that trains a run anew and keeps its networks."""
    if not plan.argv:
        return 'train anew with fresh=True, keep="all"'
    words, skip = [], False
    for word in plan.argv:
        if not skip and word != "--fresh" and word.partition("=")[0] != "--keep":
            words.append(word)
        skip = word == "--keep"
    command = shell_command(["cnnbench", *words, "--keep", "all", "--fresh"])
    return f"this trains anew and keeps them: {command}"
