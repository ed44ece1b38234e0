"""How are the networks of the zoo listed, and the verdicts on their papers' statements told?"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

import zoo
from cnnbench.base.files import StoreError
from cnnbench.cli.show.console import print_json, print_table, say
from zoo import verify
from zoo.weights import MissingWeights, WeightsCard, weights_card, weights_file, weights_sha256
from zoo.weights import starts as weights_of


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
    """Show one network: its paper, its departures from it, its weights, and its layers.

    Of a model with a start, what is known of those weights.

    Raises:
        UnknownModel: if there is no such network.
        UnknownWeights: if it has no such weights.
    """
    card, facts = zoo.card(name), zoo.describe(name)
    weights = weights_card(name) if zoo.split_start(name)[1] is not None else None
    starts = weights_of(card.name)
    if as_json:
        document = {"card": asdict(card), "description": asdict(facts), "starts": starts}
        return print_json(document | ({"weights": asdict(weights)} if weights else {}))
    say(f"{card.name}: {card.summary}")
    say(f"{card.authors}: {card.paper} ({card.year}). {card.url}")
    size = f"{card.image_size} pixels"
    say(f"{facts.params:,} parameters, {facts.macs:,} multiply-adds an image of {size}")
    for title, sentences in (("departures from the paper", card.departures), ("notes", card.notes)):
        say(f"{title}: {'none' if not sentences else ''}")
        for sentence in sentences:
            say(f"  - {sentence}")
    say(f"weights behind an @: {', '.join([*starts, 'a file'])}")
    if weights:
        _show_weights(weights)
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


def _show_weights(card: WeightsCard) -> None:
    for title, text in _facts(card):
        if text:
            say(f"{title}: {text}")


def _facts(card: WeightsCard) -> Iterator[tuple[str, str]]:
    """Yield what a card states, as (title, text); the text is empty where it states nothing."""
    trained = f", {card.trained_images:,} images" if card.trained_images else ""
    yield f"{card.name} was trained on", f"{card.trained_on}{trained}" if card.trained_on else ""
    yield "classes", "" if card.num_classes is None else str(card.num_classes)
    yield "published top-1", "" if card.top1 is None else f"{card.top1:.1%}"
    yield "image size", f"{card.image_size} pixels" if card.image_size else ""
    for title, values in (("channel mean", card.mean), ("channel deviation", card.std)):
        yield title, " ".join(f"{value:.4f}" for value in values or ())
    yield "licence", card.licence or ""
    yield "datasets that lie within", ", ".join(card.overlaps)
    yield "sha256", card.sha256
    yield "note", "; ".join(card.notes)
    yield "from", card.url or card.package or ""
    yield "on this machine", _place_of(card)


def _place_of(card: WeightsCard) -> str:
    try:
        return str(weights_file(card))
    except (MissingWeights, StoreError) as error:
        return f"no; {error}"


def show_fetched_weights(card: WeightsCard, file: Path, *, as_json: bool) -> None:
    """Say where fetched weights lie, what they are, and what to type next."""
    digest = weights_sha256(card, file)
    if as_json:
        facts = {"weights": card.name, "file": str(file), "sha256": digest}
        return print_json({"version": 1, **facts})
    say(f"{card.name} lies in {file}")
    say(f"its sha256: {digest}")
    say(f"its licence: {card.licence or 'not stated'}")
    network = zoo.split_start(card.name)[0]
    return say(f"next: cnnbench run --models {network},{card.name}")


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
