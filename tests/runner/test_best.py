"""Which evaluation of a curve is its best?"""

from cnnbench.runner.cell import best_of
from cnnbench.schema.budget import Spent
from cnnbench.schema.events import Evaluated


def evaluated(progress, correct, images=10):
    return Evaluated(
        spent=Spent(),
        progress=progress,
        split="val",
        headline=False,
        loss=1.0,
        top1=correct / images,
        top5=1.0,
        correct=correct,
        images=images,
        train_loss=1.0,
    )


def test_an_evaluation_on_the_way_is_the_best_only_where_it_beats_the_later_ones():
    curve = [evaluated(0.25, 7), evaluated(0.5, 8), evaluated(0.75, 6)]
    assert best_of([*curve, evaluated(1.0, 7)]).progress == 0.5
    assert best_of([*curve, evaluated(1.0, 8)]).progress == 1.0


def test_the_best_of_samples_is_no_best_beside_the_whole_split():
    samples = [evaluated(0.25, 4, images=4), evaluated(0.5, 3, images=4)]
    assert best_of([*samples, evaluated(1.0, 7)]).progress == 1.0
