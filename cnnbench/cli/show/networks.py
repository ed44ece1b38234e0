"""How are the networks of the zoo listed, and the verdicts on their papers' statements told?"""

from collections import Counter
from dataclasses import asdict
from itertools import groupby

import zoo
from cnnbench.cli.show.console import print_json, print_table, say
from zoo import verify


def show_models(*, as_json: bool) -> None:
    """List every network of the zoo."""
    cards = [zoo.card(name) for name in zoo.list_models()]
    if as_json:
        return print_json([asdict(card) for card in cards])
    short = {zoo.resolve(c.family): c.family for c in cards if zoo.resolve(c.family) != c.family}
    rows = [
        (
            c.name,
            short.get(c.name, ""),
            str(c.year),
            "" if c.params is None else f"{c.params / 1e6:.2f}",
            "" if c.macs is None else f"{c.macs / 1e9:.3f}",
            c.summary,
        )
        for c in cards
    ]
    titles = ("model", "in short", "year", "params (M)", "MACs (G)", "what it is")
    print_table(titles, rows, "llrrrl")
    return say(
        "`cnnbench models NAME` shows layers and paper; timm:NAME and torchvision:NAME work too"
    )


def show_model(name: str, *, as_json: bool) -> None:
    """Show one network: its paper, its departures from it, and its layers.

    Raises:
        UnknownModel: if there is no such network.
    """
    card, facts = zoo.card(name), zoo.describe(name)
    if as_json:
        return print_json({"card": asdict(card), "description": asdict(facts)})
    say(f"{card.name}: {card.summary}")
    say(f"{card.authors}: {card.paper} ({card.year}). {card.url}")
    size = f"{card.image_size} pixels"
    say(f"{facts.params:,} parameters, {facts.macs:,} multiply-adds an image of {size}")
    for title, sentences in (("departures from the paper", card.departures), ("notes", card.notes)):
        say(f"{title}: {'none' if not sentences else ''}")
        for sentence in sentences:
            say(f"  - {sentence}")
    rows = [
        (
            row.name,
            row.kind,
            "x".join(map(str, row.kernel or ())),
            "x".join(map(str, row.stride or ())),
            str(row.groups or ""),
            "x".join(map(str, row.output_shape)),
            f"{row.params:,}",
            f"{row.macs:,}",
        )
        for row in facts.layers
    ]
    titles = ("layer", "kind", "kernel", "stride", "groups", "output", "params", "MACs")
    return print_table(titles, rows, "llllrrrr")


# -- verify ---------------------------------------------------------------------------------------

_WORDS = {True: "agrees", False: "DISAGREES", None: "not checked"}


def show_verdicts(name: str | None, *, as_json: bool) -> int:
    """Show what each paper says, what ours gives, the verdict and the source.

    Returns the exit code: 1 if anything disagrees. A model appears as soon as it is checked.

    Raises:
        UnknownModel: no such network or family.
    """
    verdicts = verify.verify(None if name is None else [name])
    if as_json:
        documents = [asdict(verdict) for verdict in verdicts]
        print_json(documents)
        return int(any(document["agrees"] is False for document in documents))
    counts: Counter[bool | None] = Counter()
    for model, group in groupby(verdicts, key=lambda verdict: verdict.model):
        of_model = list(group)
        counts.update(verdict.agrees for verdict in of_model)
        say(f"\n{model}")
        titles = ("verdict", "statement", "paper", "ours", "source")
        print_table(titles, map(_row, of_model), "lllll")
    say("")
    if not counts:
        say(f"no paper's statements are on file for {name!r}")
        return 0
    say(
        f"{sum(counts.values())} statements: {counts[True]} agree, {counts[False]} disagree, "
        f"{counts[None]} need training or data and were not checked"
    )
    return int(counts[False] > 0)


def _row(verdict: verify.Verdict) -> tuple[str, ...]:
    ours = "-" if verdict.agrees is None else _value(verdict.ours)
    paper = _value(verdict.paper) + (f" (prints {verdict.printed})" if verdict.printed else "")
    statement = f"{verdict.statement}. {verdict.note}" if verdict.note else verdict.statement
    return _WORDS[verdict.agrees], statement, paper, ours, verdict.source


def _value(value: verify.Value) -> str:
    if isinstance(value, list):
        return ", ".join(_value(each) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
