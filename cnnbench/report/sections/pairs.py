"""What does each pair of networks prove, how was it tested, and what can the test not know?"""

from collections.abc import Mapping

from cnnbench.report.analysis.comparison import Comparison, Pair
from cnnbench.report.sections import Paragraph, Points, RunReport, Section
from cnnbench.report.stats.power import POWER
from cnnbench.report.text.wording import holm_p, percent, plural, rounded_up
from cnnbench.schema.foresight import STARVED_EPOCHS

_MOST_PAIRS = 21  # seven entries; more than that are read from the letters in the table


def section(report: RunReport) -> Section | None:
    """Say of every pair whether it can be told apart, and how that was tested."""
    comparison = report.comparison
    sentences = pair_sentences(comparison) if len(comparison.pairs) <= _MOST_PAIRS else []
    notes = comparison_notes(comparison)
    if not sentences and not notes:
        return None
    return Section(
        title="Which can be told apart",
        anchor="pairs",
        menu="Which can be told apart",
        blocks=[
            Points(sentences) if sentences else None,
            Paragraph(" ".join(notes), note=True),
        ],
    )


def pair_sentences(comparison: Comparison) -> list[str]:
    """Say the order of three entries or more in one line, then what every pair proves."""
    order = [f"{standing(comparison)}, where > is established and ~ a tie."]
    pairs = [pair_sentence(pair) for pair in comparison.pairs]
    return (order if len(comparison.entries) > 2 else []) + pairs


def pair_sentence(pair: Pair) -> str:
    """Say what one pair of entries proves, and how many images an open question would take."""
    test = holm_p(pair.decision.p_holm)
    points = percent(pair.test.difference)
    if pair.separated:
        return f"{pair.better} is better than {pair.worse} by {points} points ({test})."
    tied = (
        f"{pair.better} and {pair.worse} cannot be told apart with "
        f"{plural(pair.test.n_images, 'test image')}{_over(pair)} ({test})"
    )
    if pair.test.difference == 0:
        return f"{tied}: their scores are equal."
    if pair.needed is None:
        return (
            f"{tied}; no number of images would separate a difference of {points} points, because "
            "the seeds differ too much: more seeds might."
        )
    needed = (
        f"{tied}; about {rounded_up(pair.needed)} would separate a difference of this size, "
        f"{points} points."
    )
    if pair.test.several_seeds and pair.decision.networks_differ:
        return f"{needed} These trained networks do differ, but another seed might turn it round."
    return needed


def _over(pair: Pair) -> str:
    a, b = pair.seeds
    if a == b == 1:
        return ""
    return f" and {a} seeds" if a == b else f" and {a} and {b} seeds"


def comparison_notes(comparison: Comparison) -> list[str]:
    """Say how the pairs were tested and what the tests cannot know."""
    pairs = [pair for rung in comparison.rungs for pair in rung.pairs]
    if not pairs:
        return []
    several = any(pair.test.several_seeds for pair in pairs)
    notes = [_method(pairs, several=several)]
    notes.append(
        "The number of images needed supposes that the true difference is the one seen here, and "
        f"finds it in {percent(POWER, digits=0)} % of repetitions"
        + ("; the seeds stay as many as they are." if several else " (Miettinen 1968).")
    )
    if not several:
        notes.append(
            "Each network was trained once. The tests tell apart these trained networks; another "
            "seed gives another network, and --seeds 3 shows how much that moves the scores."
        )
    if any(entry.is_starved for rung in comparison.rungs for entry in rung.entries):
        notes.append(
            f"Of a network that saw fewer than {STARVED_EPOCHS:g} epochs a test says how far it "
            "came in this budget, and not how good it is."
        )
    if comparison.smaller:
        notes.append("Only networks under the same budget are compared.")
    left_out = sum(rung.left_out for rung in comparison.rungs)
    if left_out:
        kept = sum(len(rung.entries) for rung in comparison.rungs)
        notes.append(
            f"Only the best {kept} of {kept + left_out:,} finished contenders are "
            "compared and drawn; the table has all."
        )
    return notes


def _method(pairs: list[Pair], *, several: bool) -> str:
    level = f"Level 5 % after Holm's correction over {plural(len(pairs), 'pair')}."
    if not all(pair.test.paired for pair in pairs):
        return (
            "Some rows have no stored answers on the same images; their pairs are tested by "
            "Fisher's exact test on the counts, with several seeds by Student's t too, which finds "
            f"less. {level}"
        )
    if not several:
        return f"Pairs are tested on the same images by McNemar's exact test. {level}"
    return (
        "Pairs are tested on the same images, all seeds together, and two tests must agree: an "
        "exact one that turns whole images round, because the seeds share their images (with one "
        "seed it is McNemar's), and Student's t with the variance over seeds and over images "
        "(Gallas, Pennello and Myers 2007). So a difference holds for another seed on other "
        f"images, not only for the networks trained here. {level}"
    )


def standing(comparison: Comparison, names: Mapping[str, str] | None = None) -> str:
    """Return the order with `>` where it is established and `~` where it is not.

    Where ties overlap there is no one order, so the ties and the established pairs are listed.
    `names` has shorter names by label.
    """
    called = names or {entry.label: entry.label for entry in comparison.entries}
    labels = [called[entry.label] for entry in comparison.entries]
    groups = comparison.ties
    if [rank for group in groups for rank in group] == list(range(len(labels))):
        return " > ".join(" ~ ".join(labels[rank] for rank in group) for group in groups)
    ties = [" ~ ".join(labels[rank] for rank in group) for group in groups if len(group) > 1]
    proven = [
        f"{called[pair.better]} > {called[pair.worse]}"
        for pair in comparison.pairs
        if pair.separated
    ]
    return "; ".join([", ".join(ties), *([", ".join(proven)] if proven else [])])
