"""With which versions and threads, and on which machines, were the rows of a run trained?"""

from collections.abc import Iterable, Mapping, Sequence

from cnnbench.report.analysis.rows import grouped, rows_words
from cnnbench.report.text.wording import join_and
from cnnbench.schema.origin import NOT_RECORDED
from cnnbench.schema.result import Row

__all__ = ["facts_by_label", "mixed_origins", "values_of"]


def values_of(rows: Iterable[Row]) -> dict[str, list[str]]:
    """Return for each fact, such as `torch`, every value that a row was trained with.

    In a folder of an older version, where nothing was recorded, there is no fact.
    """
    origins = dict.fromkeys(tuple(one.facts().items()) for row in rows for one in row.origins)
    known = [dict(facts) for facts in origins]
    keys = dict.fromkeys(key for facts in known for key in facts)
    return {
        key: list(dict.fromkeys(facts.get(key, NOT_RECORDED) for facts in known)) for key in keys
    }


def facts_by_label(rows: Sequence[Row], label_of: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return what was recorded of each network of which a row has begun."""
    begun = grouped((row for row in rows if row.origins), lambda row: label_of[row.cell])
    return {
        label: {
            fact: join_and(sorted(set(values) - {NOT_RECORDED}))
            for fact, values in values_of(having).items()
        }
        for label, having in begun.items()
    }


def mixed_origins(rows: Sequence[Row], names: Mapping[str, str]) -> list[str]:
    """Say each origin once, with what others do not share and its rows; empty if all share one.

    A continued cell is among the rows of all that it was trained with.
    """
    unlike = [key for key, values in values_of(rows).items() if len(values) > 1]
    if not unlike:
        return []
    pairs = [(one.facts(), row) for row in rows for one in row.origins]
    by_origin = grouped(pairs, lambda pair: tuple(pair[0].get(k, NOT_RECORDED) for k in unlike))
    return [
        f"{_origin_words(dict(zip(unlike, values, strict=True)))} "
        f"({rows_words([row for _, row in having], rows, names)})"
        for values, having in by_origin.items()
    ]


def _origin_words(facts: Mapping[str, str]) -> str:
    if set(facts.values()) == {NOT_RECORDED}:
        return NOT_RECORDED
    return ", ".join(f"{key} {value}" for key, value in facts.items())
