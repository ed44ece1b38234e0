"""With which versions and threads, and on which machines, were the rows of a run trained?"""

from collections.abc import Iterable, Mapping, Sequence

from cnnbench.report.analysis.rows import grouped, seed_suffixes
from cnnbench.report.text.wording import join_and, plural
from cnnbench.schema.origin import NOT_RECORDED
from cnnbench.schema.result import Row

_MOST_NAMED = 6


def values_of(rows: Iterable[Row]) -> dict[str, dict[str, list[Row]]]:
    """Return for each fact, such as `torch`, every value with the rows that were trained with it.

    A continued cell is with all that it was trained with. In a folder of an older version, where
    nothing was recorded, there is no fact.
    """
    facts = [(one.facts(), row) for row in rows for one in row.origins]
    values: dict[str, dict[str, list[Row]]] = {}
    for key in dict.fromkeys(key for known, _ in facts for key in known):
        of_key = values.setdefault(key, {})
        for known, row in facts:
            of_key.setdefault(known.get(key, NOT_RECORDED), []).append(row)
    return values


def facts_by_label(rows: Sequence[Row], label_of: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return what was recorded of each network of which a row has begun."""
    begun = grouped((row for row in rows if row.origins), lambda row: label_of[row.cell])
    return {
        label: {
            fact: join_and(sorted(values.keys() - {NOT_RECORDED}))
            for fact, values in values_of(having).items()
        }
        for label, having in begun.items()
    }


def words_of(
    values: Mapping[str, Sequence[Row]], rows: Sequence[Row], names: Mapping[str, str]
) -> str:
    """Say the values of one fact, and where there are several which rows have which."""
    if len(values) == 1:
        return next(iter(values))
    suffix = seed_suffixes(rows)
    parts = []
    for value, having in values.items():
        cells = list(dict.fromkeys(row.cell for row in having))
        listed = join_and([names[cell] + suffix[cell] for cell in cells])
        where = listed if len(cells) <= _MOST_NAMED else plural(len(cells), "row")
        parts.append(f"{value} ({where})")
    return join_and(parts)
