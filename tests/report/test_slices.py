"""Groups of test images are shown with their number and interval, only where they are known."""

import json

from synthetic import build_run

from cnnbench.report.analysis.comparison import compare
from cnnbench.report.analysis.rows import read_rows
from cnnbench.report.sections.classes import FEWEST_IMAGES, slices_table


def with_slices(path, slices):
    run = build_run(path)
    document = {"version": 1, "split": "test", "slices": slices}
    (path / "slices.json").write_text(json.dumps(document))
    return slices_table(run, compare(run, read_rows(run)))


def test_a_run_without_known_groups_has_no_such_table(tmp_path):
    run = build_run(tmp_path)
    assert slices_table(run, compare(run, read_rows(run))) is None


def test_all_images_as_one_group_give_the_networks_own_score(tmp_path):
    table = with_slices(tmp_path, {"all": list(range(128))})
    assert table.header == ("test images", "n", "resnet18", "googlenet", "alexnet", "vgg11")
    (line,) = table.rows
    assert line[:2] == ("all", "128")
    assert line[2].startswith("80.5 (")  # 103 of 128


def test_small_groups_are_left_out(tmp_path):
    few = list(range(FEWEST_IMAGES - 1))
    table = with_slices(tmp_path, {"few": few, "enough": [*few, 100]})
    assert [line[0] for line in table.rows] == ["enough"]
