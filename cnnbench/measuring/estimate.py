"""How long would a run take on this machine, by what was measured of its networks?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cnnbench.measuring.profiles import Profile
from cnnbench.schema.budget import Currency
from cnnbench.schema.cell import Cell, Plan


@dataclass(frozen=True, kw_only=True, slots=True)
class CellEstimate:
    """The seconds that one cell would take and the images that it would train on.

    `evaluation_seconds` and `start_seconds` are not charged to the budget. Writing checkpoints
    and decoding images for the first time come on top.
    """

    model: str
    seed: int
    train_seconds: float
    evaluation_seconds: float
    start_seconds: float
    images: float
    epochs: float

    @property
    def total_seconds(self) -> float:
        """All seconds of the cell."""
        return self.train_seconds + self.evaluation_seconds + self.start_seconds


def estimate(plan: Plan, profiles: Mapping[str, Profile]) -> list[CellEstimate]:
    """Estimate every cell of a plan whose model is in `profiles`, in the plan's order.

    Nothing here measures power, so budgets in joules are left out.
    """
    known = [
        cell
        for cell in plan.cells
        if cell.model in profiles and cell.budget.currency is not Currency.JOULES
    ]
    return [_of_cell(cell, plan, profiles[cell.model]) for cell in known]


def _of_cell(cell: Cell, plan: Plan, profile: Profile) -> CellEstimate:
    counts, train_images = plan.dataset.images, plan.dataset.images["train"]
    if cell.budget.currency is Currency.SECONDS:
        seconds = cell.budget.limit
        images = seconds * profile.images_per_second
    else:
        whole = cell.budget.images(
            train_images=train_images, flops_per_image=profile.training_flops_per_image
        )
        assert whole is not None, "only seconds and joules cannot be turned into images"
        images, seconds = float(whole), whole / profile.images_per_second
    tested = cell.evaluations * counts[plan.dataset.curve_split]
    if plan.dataset.headline_split != plan.dataset.curve_split:
        tested += counts[plan.dataset.headline_split]
    return CellEstimate(
        model=cell.model,
        seed=cell.seed,
        train_seconds=seconds,
        evaluation_seconds=tested / profile.evaluation_images_per_second,
        start_seconds=profile.start_seconds,
        images=images,
        epochs=images / train_images,
    )
