from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from synthetic import FOUR, build_run

from cnnbench.data.pixels.decode import thumbnail
from cnnbench.report.analysis.comparison import compare
from cnnbench.report.analysis.rows import read_rows
from cnnbench.report.sections.gallery import filter_sheet, gallery_of
from cnnbench.report.write import write_report
from cnnbench.store import RunFolder
from cnnbench.store.gallery import CellGallery


def pictures() -> CellGallery:
    rng = np.random.default_rng(0)
    images = [thumbnail(rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)) for _ in range(5)]
    return CellGallery(
        filters=rng.integers(0, 256, (96, 11, 11, 3), dtype=np.uint8),
        towers=2,
        jpegs=tuple(images),
        truth=np.array([0, 1, 2, 3, 4]),
        shown=np.array([0, 1]),
        mistakes=np.array([2]),
        guesses=np.array([[0, 1], [0, 1], [5, 2]]),
        chances=np.array([[0.75, 0.25], [0.5, 0.5], [1.0, 0.0]], dtype=np.float32),
        near=np.array([[3, 4]]),
        searched=64,
    )


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    made = build_run(tmp_path, FOUR)
    made.cell(made.plan().cells[0]).write_gallery(pictures())
    return made


def test_a_gallery_is_read_as_it_was_written(run: RunFolder) -> None:
    kept = run.cell(run.plan().cells[0]).gallery()
    assert kept is not None
    assert kept.jpegs == pictures().jpegs
    assert np.array_equal(kept.filters, pictures().filters)
    assert kept.near.tolist() == [[3, 4]]


def test_a_damaged_gallery_is_as_none(run: RunFolder) -> None:
    folder = run.cell(run.plan().cells[0])
    path = folder.path / "gallery.npz"
    path.write_bytes(path.read_bytes()[:200])
    assert folder.gallery() is None


def test_the_page_shows_the_pictures_and_says_who_has_none(run: RunFolder) -> None:
    page = write_report(run).with_suffix(".html").read_text()
    assert 'id="gallery"' in page
    assert page.count("data:image/jpeg;base64,") == 6
    assert "48 in each of the two towers" in page
    assert "No pictures were kept of resnet18, googlenet, vgg11" in page


def test_a_run_without_pictures_has_no_such_section(tmp_path: Path) -> None:
    page = write_report(build_run(tmp_path, FOUR)).with_suffix(".html").read_text()
    assert 'id="gallery"' not in page


def test_the_right_class_is_marked_among_the_guesses(run: RunFolder) -> None:
    shown = gallery_of(run, compare(run, read_rows(run)))
    assert shown is not None
    first, second = shown.networks[0].shown
    assert [guess.correct for guess in first.guesses] == [True, False]
    assert [guess.correct for guess in second.guesses] == [False, True]
    assert [picture.label for picture in shown.networks[0].near[0]] == ["apple", "fig", "kiwi"]


def test_labels_that_the_plan_does_not_know_are_left_out(run: RunFolder) -> None:
    from dataclasses import replace

    odd = replace(pictures(), truth=np.array([0, 1, 2, 3, 99]))
    run.cell(run.plan().cells[0]).write_gallery(odd)
    assert gallery_of(run, compare(run, read_rows(run))) is None


def test_two_towers_are_two_blocks_of_the_sheet() -> None:
    sheet = filter_sheet(np.full((96, 11, 11, 3), 9, dtype=np.uint8), towers=2)
    filled = (sheet[..., 3] > 0).any(axis=1)
    gaps = np.diff(np.flatnonzero(np.diff(filled.astype(int))))
    assert sheet.shape[1] == 3 * 16 * 12
    assert max(gaps[0::2]) == 5 * 3  # between the towers; else one pixel, three times enlarged


def test_a_thumbnail_is_a_small_jpeg() -> None:
    image = Image.open(io.BytesIO(thumbnail(np.zeros((256, 256, 3), dtype=np.uint8))))
    assert (image.format, image.size) == ("JPEG", (80, 80))
