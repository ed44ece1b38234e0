"""How do the networks stand against their papers, statement by statement?"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from itertools import groupby

from cnnbench.listing.printing import print_json, print_table, say
from zoo import fidelity

_WORDS = {True: "agrees", False: "DISAGREES", None: "not checked"}


def show_verdicts(name: str | None, *, as_json: bool) -> int:
    """Show what each paper says, what ours gives, the verdict and the source.

    Returns the exit code: 1 if anything disagrees. A model appears as soon as it is checked.

    Raises:
        UnknownModel: no such network or family.
    """
    verdicts = fidelity.verify(None if name is None else [name])
    if as_json:
        found = list(verdicts)
        print_json([asdict(verdict) for verdict in found])
        return int(any(verdict.agrees is False for verdict in found))
    counts: Counter[bool | None] = Counter()
    for model, group in groupby(verdicts, key=lambda verdict: verdict.model):
        of_model = list(group)
        counts.update(verdict.agrees for verdict in of_model)
        say(f"\n{model}")
        titles = ("verdict", "statement", "paper", "ours", "source")
        print_table(titles, [_row(verdict) for verdict in of_model], "lllll")
    say("")
    if not counts:
        say(f"no paper's statements are on file for {name!r}")
        return 0
    say(
        f"{sum(counts.values())} statements: {counts[True]} agree, {counts[False]} disagree, "
        f"{counts[None]} need training or data and were not checked"
    )
    return int(counts[False] > 0)


def _row(verdict: fidelity.Verdict) -> tuple[str, ...]:
    ours = "-" if verdict.agrees is None else _value(verdict.ours)
    paper = _value(verdict.paper) + (f" (prints {verdict.printed})" if verdict.printed else "")
    statement = f"{verdict.statement}. {verdict.note}" if verdict.note else verdict.statement
    return _WORDS[verdict.agrees], statement, paper, ours, verdict.source


def _value(value: fidelity.Value) -> str:
    if isinstance(value, list):
        return ", ".join(_value(each) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
