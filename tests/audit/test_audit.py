"""The verdict on a table: what its figures establish, and what they do not."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from cnnbench.audit.tables import read_claims
from cnnbench.cli.options import app
from cnnbench.report.analysis.audit import Claim, judged

ARTICLE = "AlexNet=88.28,GoogLeNet=92.19,VGG=86.72,ResNet=98.44"


def audited(table, n=128, seeds=1):
    return judged(read_claims(table, n_images=n, seeds=seeds))


def pair_of(audit, better, worse):
    return next(p for p in audit.pairs if (p.better, p.worse) == (better, worse)).decision


def test_the_article_has_a_winner_that_is_not_established():
    audit = audited(ARTICLE)
    assert round(pair_of(audit, "AlexNet", "VGG").test.p, 2) == 0.85
    second = pair_of(audit, "ResNet", "GoogLeNet")
    assert round(second.test.p, 3) == 0.034
    assert not second.separated  # which Holm does not keep
    assert (audit.winner, audit.is_established) == ("ResNet", False)
    assert audit.letters == ("a", "ab", "b", "b")
    assert 0 < audit.chance_of_another < 0.05


def test_two_that_share_the_best_figure_have_no_winner():
    audit = audited("A=90,B=90,C=50", n=1000)
    assert (audit.winner, audit.is_established) == (None, False)


def test_where_several_counts_are_possible_the_closest_two_are_tested():
    audit = audited("A=91,B=90", n=1000)  # 905 to 915, and 895 to 905
    assert pair_of(audit, "A", "B").test.difference == 0


def test_predictions_on_the_same_images_establish_what_counts_do_not():
    hard = np.zeros(200, bool)
    hard[:150] = True
    better = hard.copy()
    better[150:162] = True
    masks = {"A": better[None], "B": hard[None]}
    facts = {"n_images": 200, "printed": ""}
    counts = {name: int(mask.sum()) for name, mask in masks.items()}
    apart = [Claim(name=k, lowest=c, highest=c, **facts) for k, c in counts.items()]
    paired = [
        Claim(name=k, lowest=c, highest=c, is_correct=masks[k], **facts) for k, c in counts.items()
    ]
    assert not judged(apart).is_established
    assert judged(paired).is_established
    assert judged(paired).chance_of_another < judged(apart).chance_of_another


def test_a_wide_spread_over_seeds_takes_a_lead_back():
    assert audited("A=92 ± 0.2,B=88 ± 0.2", n=2000, seeds=5).is_established
    assert not audited("A=92 ± 6,B=88 ± 6", n=2000, seeds=5).is_established


@pytest.mark.parametrize(("table", "code"), [(ARTICLE, 1), ("A=99,B=50", 0)])
def test_the_exit_code_says_whether_the_winner_is_established(table, code):
    done = CliRunner().invoke(app, ["audit", table, "-n", "128"])
    assert done.exit_code == code
    assert "as the best" in done.stdout


def test_the_verdict_is_json_and_a_page_too(tmp_path):
    page = tmp_path / "audit.md"
    done = CliRunner().invoke(app, ["audit", ARTICLE, "-n", "128", "--json", "--out", str(page)])
    document = json.loads(done.stdout)
    assert document["winner_is_established"] is False
    assert document["models"][0]["model"] == "ResNet"
    assert "| ResNet | GoogLeNet |" in page.read_text()
