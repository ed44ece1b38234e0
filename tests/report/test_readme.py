"""A run's table is placed between the markers of a README, and stays the same when done again."""

import pytest
from synthetic import FOUR, build_run

from cnnbench.report.pages.render import BEGIN, END, update_readme
from cnnbench.store import StoreError


@pytest.fixture
def run(tmp_path):
    return build_run(tmp_path / "reports" / "fruits", FOUR)


def test_the_table_stands_between_the_markers_and_the_rest_is_kept(tmp_path, run):
    readme = tmp_path / "README.md"
    readme.write_text(f"# Title\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    update_readme(readme, run)
    text = readme.read_text()
    assert text.startswith(f"# Title\n\n{BEGIN}\n")
    assert text.endswith(f"{END}\n\nafter\n")
    assert "\nold\n" not in text
    assert "| alexnet |" in text
    assert "(reports/fruits/figures/accuracy.svg)" in text


def test_placing_it_twice_changes_nothing(tmp_path, run):
    readme = tmp_path / "README.md"
    readme.write_text(f"{BEGIN}{END}")
    update_readme(readme, run)
    once = readme.read_text()
    update_readme(readme, run)
    assert readme.read_text() == once


@pytest.mark.parametrize("text", ["", BEGIN, f"{END} {BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_file_without_the_markers_is_refused_and_left_alone(tmp_path, run, text):
    readme = tmp_path / "README.md"
    readme.write_text(text)
    with pytest.raises(StoreError, match="once each"):
        update_readme(readme, run)
    assert readme.read_text() == text


def test_a_missing_file_is_refused(tmp_path, run):
    with pytest.raises(StoreError, match="cannot read"):
        update_readme(tmp_path / "none.md", run)
