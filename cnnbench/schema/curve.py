"""On how many images is a curve tested, so that evaluating costs little beside training?"""

from cnnbench.schema.cell import Cell, DatasetFacts
from cnnbench.schema.result import TRAINING_SAMPLE

__all__ = ["EVALUATION_COST", "evaluated_images", "largest_sample"]

EVALUATION_COST = 1 / 3  # of training on an image: the forward pass; the backward pass is two
MOST_OF_BUDGET = 0.1  # that all evaluations of a cell may cost
LEAST_IMAGES = 32  # of a sample: fewer say nothing


def evaluated_images(cell: Cell, dataset: DatasetFacts) -> int:
    """Return how many images a cell evaluates in all.

    On the way those of its curve, at the end the whole split, the headline's split where that is
    another, in all its views, and a sample of the training images.
    """
    images, views = dataset.images, cell.recipe.test_views
    n_curve = images[dataset.curve_split]
    on_the_way = (cell.evaluations - 1) * min(cell.curve_images or n_curve, n_curve)
    is_headline = dataset.curve_split == dataset.headline_split and views == 1
    headline = 0 if is_headline else views * images[dataset.headline_split]
    return on_the_way + n_curve + headline + min(TRAINING_SAMPLE, images["train"])


def largest_sample(cell: Cell, dataset: DatasetFacts, budget_images: float) -> int | None:
    """Return on how many images a cell's curve may be tested; None for its whole split.

    All its evaluations, those at the end included, then cost at most a tenth of the budget, which
    buys it `budget_images` training images. Where what is read at the end costs that alone, it is
    the fewest that are of use: 32, or one a class. What is smallest for a cell of a plan is taken
    for all its cells, so that their curves are of the same images.
    """
    n_curve, on_the_way = dataset.images[dataset.curve_split], cell.evaluations - 1
    if not on_the_way:
        return None
    at_the_end = evaluated_images(cell.model_copy(update={"evaluations": 1}), dataset)
    affordable = MOST_OF_BUDGET / EVALUATION_COST * budget_images - at_the_end
    least = max(LEAST_IMAGES, len(dataset.classes))
    sample = max(least, int(affordable / on_the_way))
    return sample if sample < n_curve else None
