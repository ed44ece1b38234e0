"""What does a speed profile of a network say? Values only: reading them needs no torch."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from cnnbench.schema.cell import Precision


class ProfileJob(BaseModel):
    """What is to be profiled, every name checked before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    num_classes: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    image_size: int = Field(ge=1)
    precision: Precision
    device: str
    threads: int | None = None
    seconds: float = Field(default=5.0, gt=0, description="measure at least this long")


class Profile(BaseModel):
    """The speed of one network on one machine; seconds are medians over `steps` steps.

    A step is `data_seconds + forward_seconds + backward_seconds + optimizer_seconds` with the
    device idle between the parts; `step_seconds` is measured on whole steps, without those waits.
    `kinds` shares out the seconds of a step by the kind of work, and adds up to one.
    `matmul_flops_per_second` is a large square matrix product in the same precision, measured
    between the steps. `start_seconds` go from the start of the process to the first step.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

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


class NoProfile(BaseModel):
    """A network that could not be profiled, with the reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job: ProfileJob
    reason: str
