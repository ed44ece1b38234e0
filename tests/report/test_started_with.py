"""No ranking hides that some networks began with weights that others had trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from synthetic import FakeModel, FakeRun, build_run

from cnnbench.report.analysis.rows import read_rows
from cnnbench.report.sections import RunReport
from cnnbench.report.sections.cost import training_section
from cnnbench.report.sections.headline import headline
from cnnbench.report.sections.notices import notices
from cnnbench.report.sections.repeat import command, exact_commands
from cnnbench.report.sections.settings import settings
from cnnbench.report.sections.starts import section
from cnnbench.report.text.table import as_markdown
from cnnbench.report.write import write_report
from cnnbench.schema.start import Start
from cnnbench.store import RunFolder

IMAGENET = Start(
    source="torchvision",
    sha256="ab" * 32,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    image_size=224,
    trained_on="ImageNet-1k",
    trained_images=1_281_167,
    licence="BSD-3-Clause",
    top1=0.69758,
    overlaps=("imagenette",),
    fit=("the head of 1000 classes was replaced",),
)
OWN = Start(source="w.pth", sha256="cd" * 32, fit=())
SCRATCH = FakeModel(name="resnet18", correct=60)
TUNED = FakeModel(name="resnet18@torchvision", correct=110, images_per_second=9, start=IMAGENET)
HEAD = replace(TUNED, correct=100, train="head")


def run_of(path: Path, *models: FakeModel, **changed: object) -> RunFolder:
    return build_run(path, FakeRun(models=models, train_images=1200, **changed))


def test_the_headline_says_who_began_with_what(tmp_path: Path) -> None:
    sentences = headline(run_of(tmp_path, SCRATCH, TUNED, HEAD))
    assert (
        "resnet18@torchvision and resnet18@torchvision head began with weights trained on "
        "ImageNet-1k (1,281,167 images); resnet18 began from scratch: the ranking is of starts as "
        "much as of networks." in sentences
    )


def test_where_all_began_alike_that_is_said_without_a_warning(tmp_path: Path) -> None:
    sentences = headline(run_of(tmp_path, TUNED, HEAD))
    assert any(s.endswith("ImageNet-1k (1,281,167 images).") for s in sentences)
    assert "ranking is of starts" not in " ".join(sentences)


def test_a_run_from_scratch_says_nothing_of_starts(tmp_path: Path) -> None:
    run = run_of(tmp_path, SCRATCH, FakeModel(name="vgg11", correct=30))
    assert "began" not in " ".join(headline(run))
    assert section(RunReport.read(run)) is None


def test_trained_weights_are_not_starved_by_few_epochs(tmp_path: Path) -> None:
    starved = {row.name: row.starved for row in read_rows(run_of(tmp_path, SCRATCH, TUNED))}
    assert starved == {"resnet18": True, "resnet18@torchvision": False}  # 4.0 and 0.9 epochs


def test_images_of_an_earlier_training_are_named_as_such(tmp_path: Path) -> None:
    run = run_of(tmp_path, TUNED)
    facts = run.plan().dataset.model_copy(update={"name": "imagenette"})
    plan = run.plan().model_copy(update={"dataset": facts})
    (sentence,) = [s for s in notices(plan, read_rows(run)) if "trained on before" in s]
    assert "imagenette" in sentence
    assert "too good" in sentence
    assert not any("trained on before" in s for s in notices(run.plan(), read_rows(run)))


def test_the_table_of_starts_has_source_licence_and_fit(tmp_path: Path) -> None:
    own = FakeModel(name="lenet5@w.pth", correct=50, start=OWN)
    shown = section(RunReport.read(run_of(tmp_path, SCRATCH, TUNED, own)))
    text = as_markdown(shown.blocks[0].table)
    for word in ("ImageNet-1k (1,281,167 images)", "BSD-3-Clause", "69.8", "head of 1000", "abab"):
        assert word in text
    assert "images that nobody stated" in text
    assert shown.blocks[1] is None


def test_a_head_is_explained_and_repeated(tmp_path: Path) -> None:
    run = run_of(tmp_path, SCRATCH, TUNED, HEAD, argv=())
    page = write_report(run).read_text("utf-8")
    assert "resnet18@torchvision head" in page
    assert "only the last layer was trained" in page
    assert "--models resnet18,resnet18@torchvision " in command(run.plan())
    assert "--train all,head" in command(run.plan())
    recipe = dict(settings(run.plan(), read_rows(run)))["recipe"]
    assert "trained weights that stay as they are, the head begins at zero" in recipe


def test_what_weights_were_trained_on_is_told_as_far_as_it_is_known() -> None:
    assert OWN.earlier_training == "images that nobody stated"
    assert IMAGENET.earlier_training == "ImageNet-1k (1,281,167 images)"


def test_each_row_is_repeated_by_a_command_that_can_be_typed(tmp_path: Path) -> None:
    argv = ("run", "--models", "a,b", "--train", "all,head", "--dataset", "fruits")
    own = FakeModel(
        name="lenet5@w.pth", correct=50, start=OWN.model_copy(update={"file": "x/w.pth"})
    )
    run = run_of(tmp_path, SCRATCH, own, argv=argv)
    of_scratch, of_own = exact_commands(run.plan(), read_rows(run))
    assert "--train" not in of_scratch  # it would be refused: nothing there has weights
    assert "--models lenet5@x/w.pth" in of_own
    assert "--train all" in of_own
    assert "--weights-scaling images" in command(run.plan().model_copy(update={"argv": ()}))


def test_thousands_of_epochs_on_features_are_no_speed_and_no_axis(tmp_path: Path) -> None:
    run = run_of(tmp_path, SCRATCH, replace(HEAD, images_per_second=50_000))
    rows = read_rows(run)
    assert [row.images_per_second for row in rows] == [SCRATCH.images_per_second, None]
    assert not any("Loader-bound" in sentence for sentence in notices(run.plan(), rows))
    only = run_of(tmp_path / "only", HEAD)
    titles = [getattr(block, "text", "") for block in training_section(RunReport.read(only)).blocks]
    assert not any("Against epochs" in title for title in titles)
    assert any("Against charged seconds" in title for title in titles)
