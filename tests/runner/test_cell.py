"""A cell tests its curve on what the plan says, and keeps its result whatever its pictures do."""

import pytest
from contexts import a_context

from cnnbench.runner import gallery
from cnnbench.runner.cell import run_cell
from cnnbench.schema.events import Evaluated
from cnnbench.store import CellFolder


@pytest.mark.slow
def test_the_curve_is_tested_on_its_sample_and_the_last_weights_on_all(folder):
    cell = folder.cell.model_copy(update={"curve_images": 6, "evaluations": 3})
    folder = CellFolder(folder.path, cell)
    result = run_cell(a_context(folder))
    points = [event for event in folder.events() if isinstance(event, Evaluated)]
    assert [event.images for event in points] == [6, 6, 12]
    assert (result.test_images, result.best_progress) == (12, 1.0)


@pytest.mark.slow
def test_pictures_have_a_bucket_of_their_own(folder):
    result = run_cell(a_context(folder))
    seconds = result.seconds
    assert folder.gallery() is not None
    assert seconds.gallery > 0
    known = seconds.model_dump(exclude={"total", "data_wait"}).values()
    assert sum(known) <= seconds.total
    assert folder.result() == result


@pytest.mark.slow
def test_pictures_that_fail_fail_no_cell(folder, monkeypatch, capsys):
    monkeypatch.setattr(gallery, "collect_gallery", lambda *_, **__: 1 / 0)
    assert run_cell(a_context(folder)).status == "done"
    assert "division by zero" in capsys.readouterr().err


class Killed(BaseException):
    """What no program can catch, as far as a test can have it."""


@pytest.mark.slow
def test_a_kill_while_the_pictures_are_made_loses_nothing(folder, monkeypatch):
    def kill(*_, **__):
        raise Killed

    monkeypatch.setattr(gallery, "collect_gallery", kill)
    with pytest.raises(Killed):
        run_cell(a_context(folder))
    assert folder.is_final()
    assert folder.result().seconds.gallery is None  # not zero: nobody measured it
    assert folder.predictions() is not None
