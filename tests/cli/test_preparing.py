"""While images are drawn or decoded a person sees how far that is and how long it still takes."""

import io

import pytest
from rich.console import Console

from cnnbench.cli.show import progress as show
from tests.store.test_run_folder import a_plan


@pytest.fixture
def shown(monkeypatch):
    """Return what counts images at given seconds, for drawn or other images, and what it says."""

    def tell(counts, *, drawn=True, split="train"):
        said = io.StringIO()
        display = show.Progress(Console(file=said, force_terminal=False))
        plan = a_plan()
        facts = plan.dataset.model_copy(update={"drawn": drawn})
        display.start(plan.model_copy(update={"dataset": facts}), 0)
        for second, done, total in counts:
            monkeypatch.setattr(show.time, "monotonic", lambda second=second: second)
            display.decode(split, done, total)
        return said.getvalue().splitlines()

    return tell


@pytest.mark.parametrize(("drawn", "word"), [(True, "drawing"), (False, "decoding")])
def test_pictures_are_drawn_and_photos_decoded(shown, drawn, word):
    assert shown([(0, 8, 16), (1, 16, 16)], drawn=drawn) == [f"{word} train images: 16 of 16"]


def test_a_pipe_hears_now_and_then_how_long_is_left(shown):
    every_second = [(second, 8 + 10 * second, 1178) for second in range(118)]
    assert shown(every_second) == [
        "drawing train images: 308 of 1178, about 1 min 27 s left",
        "drawing train images: 608 of 1178, about 57 s left",
        "drawing train images: 908 of 1178, about 27 s left",
        "drawing train images: 1178 of 1178",
    ]


def test_images_of_another_size_are_timed_from_their_own_start(shown):
    slow = [(0, 8, 1008), (25, 33, 1008)]
    quick = [(26, 8, 1008), (36, 508, 1008)]
    assert shown(slow + quick)[-1] == "drawing train images: 508 of 1008, about 10 s left"


def test_the_first_burst_of_images_promises_nothing(shown):
    late = [(0, 8, 1178), (31, 8, 1178), (31.5, 16, 1178)]
    assert shown(late) == ["drawing train images: 8 of 1178"]
