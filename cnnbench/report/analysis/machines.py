"""Were the rows of a run trained on machines that are alike, so that their seconds compare?

Machines are alike whose line is the same: the GPU, the processor, its cores and the memory. Two of
a line may still run at different speeds, and count as unlike if their canaries say so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from cnnbench.report.analysis.rows import grouped, rows_words
from cnnbench.report.text.wording import join_and, significant
from cnnbench.schema.origin import NOT_RECORDED, Origin
from cnnbench.schema.result import Row
from cnnbench.store import RunFolder

__all__ = ["ALIKE", "UNSTEADY", "Machines", "is_metered", "machines_of", "unlike_machines"]

# Of the speed. Readings of a quiet machine were 7 % apart, those of a shared one 50 % and more.
UNSTEADY = 0.15

Place = tuple[str, str]  # the line and the host of a machine


@dataclass(frozen=True, kw_only=True, slots=True)
class Machines:
    """Whether the rows of a run may be ranked together.

    `unlike` are the kinds of machines, each with its rows, whose `unit` does not compare; empty
    where nothing stands in the way. `across` says that they are to be ranked all the same.
    """

    unlike: tuple[str, ...] = ()
    unit: str = "seconds"
    across: bool = False

    @property
    def are_withheld(self) -> bool:
        """Whether no rank is given."""
        return bool(self.unlike) and not self.across

    @property
    def withheld(self) -> str:
        """Why no rank is given; empty where there is one."""
        if not self.are_withheld:
            return ""
        return (
            f"No rank is given: under a budget in {self.unit} these rows come from unlike "
            f"machines, which make more or fewer images of the same {self.unit}: "
            f"{'; '.join(self.unlike)}."
        )

    @property
    def remedy(self) -> str:
        """What gives a rank where none is given."""
        if not self.are_withheld:
            return ""
        return (
            "A counted budget, like --budget 20ep, compares on any machines, and so does a budget "
            f"in {self.unit} on one kind of machine for all; cnnbench report with "
            "--across-machines ranks these rows as they are."
        )

    @property
    def caveat(self) -> str:
        """What a rank across machines means; empty where there is none."""
        if not self.unlike or not self.across:
            return ""
        return (
            f"Ranked across unlike machines, as was asked: {'; '.join(self.unlike)}. The same "
            f"{self.unit} made more images on some than on others, so a rank is of network and "
            "machine together."
        )


ALIKE = Machines()


def machines_of(run: RunFolder, rows: Sequence[Row], names: Mapping[str, str]) -> Machines:
    """Return whether the rows of a run may be ranked together, and what was asked for."""
    units = dict.fromkeys(row.budget.currency for row in rows if is_metered([row]))
    return Machines(
        unlike=unlike_machines(rows, names),
        unit=join_and(list(units)) or "seconds",
        across=run.ranking().across_machines,
    )


def is_metered(rows: Iterable[Row]) -> bool:
    """Tell whether a budget in seconds or joules decided how many images a row saw."""
    return any(row.budget.currency.is_metered for row in rows)


def unlike_machines(rows: Sequence[Row], names: Mapping[str, str]) -> tuple[str, ...]:
    """Say each kind of machine with the rows that finished on it; empty if the rows compare.

    So it is where all machines are alike, or every budget is counted. A row that was continued on
    another kind of machine belongs to neither.
    """
    done = [row for row in rows if row.status == "done" and is_metered([row])]
    called = _kinds(done)
    by_kind = grouped(
        done, lambda row: ", then ".join(dict.fromkeys(called[_place(o)] for o in _origins(row)))
    )
    if len(by_kind) < 2 and not any(", then " in kind for kind in by_kind):
        return ()
    return tuple(f"{kind} ({rows_words(of, rows, names)})" for kind, of in by_kind.items())


def _origins(row: Row) -> Sequence[Origin]:
    return row.origins or (Origin(),)


def _place(origin: Origin) -> Place:
    return origin.machine or f"machine {NOT_RECORDED}", origin.host or ""


def _kinds(rows: Sequence[Row]) -> dict[Place, str]:
    """Return of each line and host what machines like it are called: by the line, if that does."""
    places = dict.fromkeys(_place(origin) for row in rows for origin in _origins(row))
    canaries = grouped(
        ((_place(_origins(row)[-1]), speed) for row in rows for speed in row.canary_gflops or ()),
        lambda pair: pair[0],
    )
    speeds = {place: median(speed for _, speed in of) for place, of in canaries.items()}
    called: dict[Place, str] = {}
    for line, of_line in grouped(places, lambda place: place[0]).items():
        groups = _alike(of_line, speeds)
        for group in groups:
            name = line if len(groups) == 1 else _with_speed(line, group, speeds)
            called |= dict.fromkeys(group, name)
    return called


def _with_speed(line: str, group: Sequence[Place], speeds: Mapping[Place, float]) -> str:
    speed = significant(median(speeds[place] for place in group if place in speeds))
    return f"{line} at {speed} GFLOP/s on {join_and([host or 'no name' for _, host in group])}"


def _alike(places: Sequence[Place], speeds: Mapping[Place, float]) -> list[list[Place]]:
    """Group machines of one line whose speeds are near the slowest of their group.

    One whose speed is not known is with the first group: nothing says that it is unlike.
    """
    known = sorted((place for place in places if place in speeds), key=lambda each: speeds[each])
    groups: list[list[Place]] = []
    for place in known:
        if groups and speeds[place] <= (1 + UNSTEADY) * speeds[groups[-1][0]]:
            groups[-1].append(place)
        else:
            groups.append([place])
    unknown = [place for place in places if place not in speeds]
    if not groups:
        return [unknown]
    groups[0] += unknown
    return groups
