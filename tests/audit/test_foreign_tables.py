"""A table of somebody else is read in whatever form it comes, or refused in one clear line."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnbench.audit.tables import read_claims
from cnnbench.planning.request import PlanError
from cnnbench.report.analysis.audit import judged

CSV = "model,accuracy,n\nAlexNet,88.28,128\nVGG,86.72,128\n"
PREDICTED = "image,label,A,B\n1.jpg,cat,cat,dog\n2.jpg,dog,dog,dog\n3.jpg,cat,dog,dog\n"


def claims(table, n=128, seeds=1):
    return {claim.name: claim for claim in read_claims(str(table), n_images=n, seeds=seeds)}


def written(tmp_path, text, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", CSV),
        ("a.csv", CSV.replace(",", ";")),
        ("a.tsv", CSV.replace(",", "\t")),
        ("a.csv", "\ufeff" + CSV),
        ("a.csv", "Network,Correct\nAlexNet,113\nVGG,111\n"),
        ("a.csv", "name;top-1\nAlexNet;88,28 %\nVGG;86,72 %\n"),
        ("a.csv", "model,acc\nAlexNet,0.8828\nVGG,0.8672\n"),
        ("a.csv", "method,result\nAlexNet,113/128\nVGG,111/128\n"),
        ("a.md", "Our results:\n\n| model | acc |\n|:--|--:|\n| AlexNet | **88.28** |\n"
                 "| VGG | 86.72 |\n"),
        ("a.json", '{"AlexNet": 88.28, "VGG": 86.72}'),
        ("a.json", '[{"model": "AlexNet", "accuracy": 88.28}, {"name": "", "model": "VGG",'
                   ' "accuracy": 86.72}]'),
        ("a.json", '{"rows": [{"model": "AlexNet", "correct": 113, "test_images": 128},'
                   ' {"model": "VGG", "correct": 111, "test_images": 128}]}'),
    ],
)  # fmt: skip
def test_every_form_of_the_same_table_gives_the_same_counts(tmp_path, name, text):
    found = claims(written(tmp_path, text, name))
    assert {name: (c.lowest, c.highest, c.n_images) for name, c in found.items()} == {
        "AlexNet": (113, 113, 128),
        "VGG": (111, 111, 128),
    }


def test_what_is_typed_is_a_table_too():
    found = claims("AlexNet=88.28, GoogLeNet (v1)=92.19,ResNet=98.44")
    assert {name: claim.correct for name, claim in found.items()} == {
        "AlexNet": 113,
        "GoogLeNet (v1)": 118,
        "ResNet": 126,
    }


@given(n=st.integers(1, 20_000), share=st.floats(0, 1), decimals=st.integers(1, 6))
def test_the_count_that_was_printed_is_among_those_that_are_possible(n, share, decimals):
    correct = round(share * n)
    printed = f"{100 * correct / n:.{decimals}f}"
    claim = claims(f"A={printed} %,B=50 %", n)["A"]
    assert claim.is_possible
    assert claim.lowest <= correct <= claim.highest


def test_a_percentage_that_no_count_gives_is_named_with_the_nearest():
    claim = claims("A=88.30,B=80")["A"]
    assert (claim.is_possible, claim.lowest, claim.highest) == (False, 113, 114)


def test_a_percentage_that_was_cut_and_not_rounded_is_possible():
    assert claims("A=98.43,B=80")["A"].is_possible  # 126 of 128 are 98.4375


def test_deviations_over_seeds_are_read_beside_the_figure_or_in_a_column(tmp_path):
    beside = claims("A=90.6 ± 1.5,B=80.5 (0.5)", seeds=3)
    column = claims(written(tmp_path, "model,acc,std,seeds\nA,90.6,1.5,3\nB,80.5,0.5,3\n"))
    assert beside["A"].deviation == column["A"].deviation == pytest.approx(0.015)
    counts = [count for count, _ in beside["A"].counts(116)]
    assert len(counts) == 3
    assert np.std(counts, ddof=1) / 128 == pytest.approx(0.015, abs=0.004)


@pytest.mark.parametrize("form", ["csv", "json"])
def test_predictions_are_compared_image_by_image(tmp_path, form):
    if form == "json":
        rows = [line.split(",") for line in PREDICTED.splitlines()[1:]]
        labels, a, b = ([row[place] for row in rows] for place in (1, 2, 3))
        text = json.dumps({"labels": labels, "predictions": {"A": a, "B": b}})
    else:
        text = PREDICTED
    found = claims(written(tmp_path, text, f"p.{form}"), n=None)
    assert found["A"].is_correct.tolist() == [[True, True, False]]
    assert found["B"].is_correct.tolist() == [[False, True, False]]
    assert judged(list(found.values())).is_paired


HOSTILE = [
    "", " ", "\n\n", "model\n", "model,accuracy\n", "model,accuracy\nA,90\n", "\x00\x01\x02",
    b"\xff\xfe\x00", b"\x89PNG\r\n", "model,colour,shape\nA,red,round\nB,blue,flat\n",
    "model,accuracy\nA,90\nA,80\n", "model,accuracy\nA,ninety\nB,80\n",
    "model,accuracy\nA,-5\nB,80\n", "model,accuracy\nA,101\nB,80\n",
    "model,accuracy\nA,nan\nB,80\n", "model,accuracy\nA,inf\nB,80\n",
    "model,accuracy\nA,1e999\nB,80\n", "model,accuracy\nA\nB,80\n",
    "model,accuracy\nA,\nB,80\n", "model,accuracy\nA,90%%\nB,80\n",
    "model,correct\nA,200\nB,80\n", "model,correct\nA,1.5\nB,80\n",
    "model,accuracy\nA,5/0\nB,80\n", "model,accuracy\nA,9/5\nB,80\n",
    "model,accuracy,n\nA,90,0\nB,80,128\n", "model,accuracy,n\nA,90,-3\nB,80,128\n",
    "model,accuracy,n\nA,90,many\nB,80,128\n", "model,accuracy,seeds\nA,90,0\nB,80,1\n",
    "model,accuracy,seeds\nA,90,1.5\nB,80,1\n", "model,accuracy,std\nA,90,x\nB,80,1\n",
    "| model | accuracy |\n|---|---|\n", "| model |\n|---|\n| A |\n| B |\n",
    "| model | acc |\n|---|---|\n| A | ? |\n| B | 80 |\n", "{", "[", "[]", "{}", "null", "3",
    '"text"', "[1, 2]", '{"A": [1], "B": 2}', '{"rows": []}', "[" * 100_000,
    '{"labels": 3, "predictions": {}}', '{"labels": [1], "predictions": {"A": [1, 2]}}',
    '{"labels": [], "predictions": {"A": [], "B": []}}',
    "image,label,A,B\n1,cat,cat\n", "image,label,A,B\n1,cat,cat,\n",
    "image,label,A,B\n1,cat,cat,cat\n1,cat,cat,cat\n", "image,label,A,B\n",
    'model,accuracy\n"A,90\nB,80\n', "model;accuracy\nA;88,28;\n;\n",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_a_hostile_table_is_refused_in_one_clear_line(tmp_path, text, suffix):
    with pytest.raises(PlanError) as refused:
        claims(written(tmp_path, text, f"t.{suffix}"))
    assert len(str(refused.value)) > 15
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("no-such-file.csv", "no such file"),
        ("A=", "is no accuracy"),
        ("=90,B=80", "is not NAME=ACCURACY"),
        ("A=90", "nothing to compare"),
        ("A=90,A=80", "there twice"),
        ("A=90,B=eighty", "'eighty' is no accuracy"),
        ("x" * 5000, "no such file"),
    ],
)
def test_what_is_mistyped_is_named(typed, said):
    with pytest.raises(PlanError, match=said):
        claims(typed)


def test_figures_without_a_number_of_images_ask_for_it():
    with pytest.raises(PlanError, match="of how many test images is 90"):
        claims("A=90,B=80", n=None)
