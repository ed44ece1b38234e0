"""How is an audit shown: as a table with sentences, as a page, as JSON?"""

from collections.abc import Iterator
from typing import Any

from cnnbench.cli.show.console import print_table, say
from cnnbench.report.analysis.audit import Audit, Claim, JudgedPair
from cnnbench.report.text.escape import escape_markdown
from cnnbench.report.text.table import Table, as_markdown, table_of
from cnnbench.report.text.wording import p_value, percent, signed_points, span

__all__ = ["audit_data", "audit_page", "show_audit"]


def show_audit(audit: Audit) -> None:
    """Print the models, the pairs, and what they establish."""
    for table in (_models(audit), _pairs(audit)):
        print_table(table.header, table.rows, table.align)
    for sentence in audit_sentences(audit):
        say(sentence)


def audit_page(audit: Audit) -> str:
    """Return the audit as a page of Markdown."""
    sentences = " ".join(map(escape_markdown, audit_sentences(audit)))
    blocks = ["# Audit", sentences, as_markdown(_models(audit)), as_markdown(_pairs(audit))]
    return "\n\n".join(blocks) + "\n"


def audit_data(audit: Audit) -> dict[str, Any]:
    """Return the audit as plain values for JSON."""
    models = [
        {
            "model": claim.name,
            "printed": claim.printed,
            "test_images": claim.n_images,
            "correct": [claim.lowest, claim.highest],
            "is_possible": claim.is_possible,
            "top1": claim.top1,
            "interval": claim.interval,
            "seeds": claim.seeds,
            "tie": letter,
        }
        for claim, letter in zip(audit.claims, audit.letters, strict=True)
    ]
    pairs = [
        {
            "better": pair.better,
            "worse": pair.worse,
            "difference": pair.decision.test.difference,
            "interval": pair.decision.interval,
            "p": pair.decision.test.p,
            "p_holm": pair.decision.p_holm,
            "established": pair.decision.separated,
            "paired": pair.decision.test.paired,
            "images_needed": pair.needed,
        }
        for pair in audit.pairs
    ]
    return {
        "version": 1,
        "winner": audit.winner,
        "winner_is_established": audit.is_established,
        "chance_that_another_is_best": audit.chance_of_another,
        "models": models,
        "pairs": pairs,
    }


def audit_sentences(audit: Audit) -> Iterator[str]:
    """Say which claims hold."""
    proven = sum(pair.decision.separated for pair in audit.pairs)
    test = "McNemar's test on the same images" if audit.is_paired else "Fisher's test of the counts"
    yield (
        f"{proven} of {len(audit.pairs)} pairs are established at the 5 % level by {test}, after "
        "Holm's correction."
    )
    chance = percent(audit.chance_of_another, digits=0)
    if audit.winner is None:
        first, second = audit.claims[:2]
        yield f"{first.name} and {second.name} share the best figure: there is no winner."
    elif audit.is_established:
        yield f"{audit.winner} is established as the best."
    else:
        yield (
            f"{audit.winner} is not established as the best: with a probability of {chance} % "
            "it is another."
        )
    for claim in audit.claims:
        if not claim.is_possible:
            yield (
                f"{claim.name}: no count of {claim.n_images} images gives {claim.printed}; "
                f"{claim.lowest} and {claim.highest} are the nearest."
            )
    if any(claim.seeds > 1 and not claim.deviation and claim.is_correct is None
           for claim in audit.claims):  # fmt: skip
        yield "Without the deviation over the seeds only this set of trainings is judged."


def _models(audit: Audit) -> Table:
    letter = {claim.name: tie for claim, tie in zip(audit.claims, audit.letters, strict=True)}
    return table_of(
        audit.claims,
        [
            ("model", "l", lambda claim: claim.name),
            ("as printed", "r", lambda claim: claim.printed),
            ("right", "r", _right),
            ("95 % interval", "r", lambda claim: span(*claim.interval)),
            ("tie", "l", lambda claim: letter[claim.name]),
        ],
    )


def _right(claim: Claim) -> str:
    if claim.lowest == claim.highest:
        return f"{claim.lowest}/{claim.n_images}"
    between = "to" if claim.is_possible else "or"
    return f"{claim.lowest} {between} {claim.highest}/{claim.n_images}"


def _pairs(audit: Audit) -> Table:
    return table_of(
        audit.pairs,
        [
            ("better", "l", lambda pair: pair.better),
            ("worse", "l", lambda pair: pair.worse),
            ("points", "r", lambda pair: signed_points(pair.decision.test.difference)),
            ("p", "r", lambda pair: _bare(pair.decision.test.p)),
            ("Holm's p", "r", lambda pair: _bare(pair.decision.p_holm)),
            ("verdict", "l", _verdict),
            ("images needed", "r", _needed),
        ],
    )


def _needed(pair: JudgedPair) -> str:
    """Return how many images would separate a pair that is not, four times in five."""
    if pair.decision.separated or pair.needed is None:
        return ""
    return f"{pair.needed:,}"


def _verdict(pair: JudgedPair) -> str:
    return "established" if pair.decision.separated else "not established"


def _bare(p: float) -> str:
    return p_value(p).removeprefix("p ").removeprefix("= ")
