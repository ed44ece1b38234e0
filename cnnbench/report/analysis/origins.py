"""With which versions and threads, and on which machines, were the rows of a run trained?"""

from collections.abc import Iterable, Mapping, Sequence

from cnnbench.report.analysis.rows import grouped, rows_words
from cnnbench.report.text.wording import join_and
from cnnbench.schema.origin import Origin
from cnnbench.schema.result import Row

__all__ = ["facts_by_label", "mixed_origins", "values_of"]


def values_of(rows: Iterable[Row]) -> dict[str, list[str]]:
    """Return for each fact, such as `torch`, every value that was recorded of a row.

    In a folder of an older version, where nothing was recorded, there is no fact.
    """
    known = [pair for row in rows for one in row.origins for pair in one.facts().items()]
    return {
        key: list(dict.fromkeys(value for _, value in pairs))
        for key, pairs in grouped(known, lambda pair: pair[0]).items()
    }


def facts_by_label(rows: Sequence[Row], label_of: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return what was recorded of each network of which a row has begun."""
    begun = grouped((row for row in rows if row.origins), lambda row: label_of[row.cell])
    return {
        label: {fact: join_and(sorted(values)) for fact, values in values_of(having).items()}
        for label, having in begun.items()
    }


def mixed_origins(rows: Sequence[Row], names: Mapping[str, str]) -> list[str]:
    """Say each origin once, with what others do not share and its rows; empty if all share one.

    A continued cell is among the rows of all that it was trained with.
    """
    unlike = [fact for fact, values in values_of(rows).items() if len(values) > 1]
    trained = [(_origin_words(one, unlike), row) for row in rows for one in row.origins]
    by_origin = grouped(trained, lambda pair: pair[0])
    return [
        f"{origin} ({rows_words([row for _, row in having], rows, names)})"
        for origin, having in by_origin.items()
        if len(by_origin) > 1
    ]


def _origin_words(one: Origin, unlike: Sequence[str]) -> str:
    facts = one.facts()
    known = [f"{fact} {facts[fact]}" for fact in unlike if fact in facts]
    return ", ".join(known if one.versions else ["versions not recorded", *known]) or "the rest"
