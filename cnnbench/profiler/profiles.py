"""What does a speed profile of a network say, and how long would a plan's cells take by it?

Values only: reading them needs no torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import Field

from cnnbench.schema import Value
from cnnbench.schema.budget import Currency
from cnnbench.schema.cell import Cell, Plan, Precision
from cnnbench.schema.curve import evaluated_images

__all__ = ["CellEstimate", "FailedProfile", "Profile", "ProfileJob", "job_of"]


class ProfileJob(Value):
    """A network to profile and the settings to profile it with; every name is checked before."""

    model: str
    num_classes: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    micro_batch: int | None = Field(default=None, ge=1, description="images a pass")
    image_size: int = Field(ge=1)
    precision: Precision
    device: str
    threads: int | None = None
    seconds: float = Field(default=5.0, gt=0, description="measure at least this long")


def job_of(cell: Cell, plan: Plan, *, seconds: float = 5.0) -> ProfileJob:
    """Return the job that measures the steps of a plan's cell."""
    threads = plan.machine.get("threads")
    return ProfileJob(
        model=cell.model,
        num_classes=len(plan.dataset.classes),
        batch_size=cell.recipe.batch_size,
        micro_batch=cell.micro_batch,
        image_size=cell.image_size,
        precision=cell.precision,
        device=cell.device,
        threads=int(threads) if threads else None,
        seconds=seconds,
    )


class Profile(Value):
    """The speed of one network on one machine; seconds are medians over `steps` steps.

    A step is `data_seconds + forward_seconds + backward_seconds + optimizer_seconds` with the
    device idle between the parts; `step_seconds` is measured on whole steps, without those waits.
    `kinds` shares out the seconds of a step by the kind of work, and adds up to one.
    `matmul_flops_per_second` is a large square matrix product in the same precision, measured
    between the steps. `start_seconds` go from the start of the process to the first step.
    """

    job: ProfileJob
    params: int
    macs: int
    training_flops_per_image: float
    steps: int
    step_seconds: float
    data_seconds: float
    forward_seconds: float
    backward_seconds: float
    optimizer_seconds: float
    evaluation_images_per_second: float
    peak_memory_bytes: int
    matmul_flops_per_second: float
    kinds: dict[str, float]
    start_seconds: float
    threads: int
    torch: str

    @property
    def images_per_second(self) -> float:
        """Training images a second, everything charged included."""
        return self.job.batch_size / self.step_seconds

    @property
    def forward_images_per_second(self) -> float:
        """Images a second through the forward pass in training mode."""
        return self.job.batch_size / self.forward_seconds

    @property
    def backward_images_per_second(self) -> float:
        """Images a second through the backward pass."""
        return self.job.batch_size / self.backward_seconds

    @property
    def matmul_share(self) -> float:
        """The share of the machine's measured matrix product rate that a step reaches."""
        achieved = self.training_flops_per_image * self.images_per_second
        return achieved / self.matmul_flops_per_second


class FailedProfile(Value):
    """A network that could not be profiled, with the reason."""

    job: ProfileJob
    reason: str


# -- estimates ------------------------------------------------------------------------------------


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
    return [
        _cell_estimate(cell, plan, profiles[cell.model])
        for cell in plan.cells
        if cell.model in profiles and cell.budget.currency is not Currency.JOULES
    ]


def _cell_estimate(cell: Cell, plan: Plan, profile: Profile) -> CellEstimate:
    dataset, n_images = plan.dataset, plan.dataset.images
    if cell.budget.currency is Currency.SECONDS:
        seconds = cell.budget.limit
        trained_images = seconds * profile.images_per_second
    else:
        total_images = cell.budget.total_images(
            train_images=n_images["train"], flops_per_image=profile.training_flops_per_image
        )
        assert total_images is not None, "only seconds and joules cannot be turned into images"
        trained_images, seconds = float(total_images), total_images / profile.images_per_second
    return CellEstimate(
        model=cell.model,
        seed=cell.seed,
        train_seconds=seconds,
        evaluation_seconds=evaluated_images(cell, dataset) / profile.evaluation_images_per_second,
        start_seconds=profile.start_seconds,
        images=trained_images,
        epochs=trained_images / n_images["train"],
    )
