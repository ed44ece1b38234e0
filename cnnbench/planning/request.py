"""What can be asked of a training? Every option of the command line, TOML files and Python, once.

The command line imports this file for each `--help`, so it imports nothing of weight.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from cnnbench.planning.typed import (
    PlanError,
    numbers,
    pairs,
    plan_errors,
    require_known,
    split_commas,
)

__all__ = [
    "RETRIES_ELSEWHERE",
    "SKIP_HELP",
    "Flag",
    "PlanError",
    "Request",
    "RunOptions",
    "plan_errors",
    "require_typed_for_gpus_elsewhere",
    "split_commas",
]

AUTO = "auto"
KEEPS = ("all", "best", "none")
EXECUTORS = ("local", "ray", "slurm", "workers")
RETRIES_ELSEWHERE = 3
SKIP_HELP = "Leave out up to this many broken images, for every model.  [default: 0]"

T = TypeVar("T")
# Text may hold several with commas between.
Texts = str | Sequence[str]
Floats = float | str | Sequence[float]
Ints = int | str | Sequence[int]


@dataclass(frozen=True, slots=True)
class Flag:
    """How a field is typed on the command line.

    `name` is the word there, where it is not the field's own; `typed` is the type of what is typed,
    where it is not the field's first type; `least` is the smallest number that is taken.
    """

    help: str
    _: KW_ONLY
    name: str = ""
    typed: Any = None
    least: float | None = None
    is_argument: bool = False


@dataclass(frozen=True)
class Request:
    """What decides a plan, as it was typed or as Python gave it; None means the default.

    The properties read what may be text with commas, as `split_commas` does for names and budgets;
    what they read is checked by `make_plan`.
    """

    models: Annotated[
        Texts, Flag("Names with commas between; see `cnnbench models`.", typed=list[str])
    ]
    dataset: Annotated[str, Flag("A card's name, a folder of images, or a .csv.")] = "fruits"
    budget: Annotated[
        Texts | None,
        Flag("90s, 2m, 20ep, 30000img, 1e15flop, 500J; 30s,1m,2m compares budgets."),
    ] = None
    _: KW_ONLY
    recipe: Annotated[
        str, Flag("common, one for all (common-1: its first edition); paper, each paper's own.")
    ] = "common"
    train: Annotated[
        Texts, Flag("Of networks with weights (NAME@WEIGHTS): all, head, or all,head.")
    ] = "all"
    weights_scaling: Annotated[
        str | None,
        Flag("Inputs of weights without a card: imagenet, half, images, or MEAN/STD."),
    ] = None
    lr: Annotated[Floats | None, Flag("Learning rate for every model.")] = None
    batch_size: Annotated[Ints | None, Flag("Images a step.  [default: 32]")] = None
    image_size: Annotated[
        int | str | None,
        Flag("Pixels, or auto: the largest that feeds every network.  [default: auto]", typed=str),
    ] = None
    memory: Annotated[
        str | None, Flag("Memory a model may use, like 8GiB; accumulates batches.")
    ] = None
    seeds: Annotated[Ints, Flag("How many seeds (3), or which (0,1,5).", typed=str)] = 1
    evaluations: Annotated[int | None, Flag("Tests on the way.  [default: 5]")] = None
    dataset_options: Annotated[
        Mapping[str, str] | Sequence[str] | None,
        Flag("An option of the images, KEY=VALUE.", name="data", typed=list[str]),
    ] = None
    skip_broken: Annotated[int | None, Flag(SKIP_HELP)] = None
    device: Annotated[str, Flag("auto, cuda, mps or cpu.")] = "auto"
    devices: Annotated[
        int, Flag("GPUs, or with --device cpu processes, that train a cell together.")
    ] = 1
    parallel: Annotated[str, Flag("What they share out: batches, or AlexNet's towers.")] = "batches"
    batchnorm_over: Annotated[
        str, Flag("BatchNorm's statistics over each device's images, or all.")
    ] = "device"
    precision: Annotated[str, Flag("auto, fp32, tf32 or bf16.")] = "auto"
    deterministic: Annotated[
        bool, Flag("The same bits each time, on a GPU too, where it may be slower.")
    ] = False
    smoke: Annotated[bool, Flag("A whole tiny run, for CI; typed values win.")] = False

    def __post_init__(self) -> None:
        if isinstance(self.dataset, Path):  # of Python: a folder, whatever cards there are
            object.__setattr__(self, "dataset", os.path.join(".", self.dataset))  # noqa: PTH118

    @property
    def lrs(self) -> list[float]:
        """The learning rates; none means the recipe's. Raises PlanError if one is no number."""
        return numbers("--lr", self.lr, float)

    @property
    def batch_sizes(self) -> list[int]:
        """The batch sizes; none means the recipe's. Raises PlanError if one is no number."""
        return numbers("--batch-size", self.batch_size, int)

    @property
    def pixels(self) -> int | None:
        """The image size that was typed; None is `auto`. Raises PlanError if it is no number."""
        if self.image_size is None or str(self.image_size).strip() == AUTO:
            return None
        try:
            return int(self.image_size)
        except ValueError:
            wrong = f"--image-size {self.image_size!r} is neither a number of pixels nor {AUTO}"
            raise PlanError(wrong) from None

    @property
    def seed_numbers(self) -> list[int]:
        """The seeds: `3` means three of them, `0,1,5` or a list (`5,` too) means these.

        Raises:
            PlanError: if it is neither.
        """
        given = self.seeds
        try:
            seeds = [int(part) for part in split_commas(given)]
        except ValueError:
            seeds = []
        if not seeds:
            raise PlanError(f"--seeds {given!r}: write how many (3) or which ones (0,1,5)")
        is_count = isinstance(given, int) or (isinstance(given, str) and "," not in given)
        if is_count and seeds[0] < 1:
            raise PlanError(f"--seeds {given!r}: at least one seed is needed")
        return list(range(seeds[0])) if is_count else seeds

    @property
    def data(self) -> dict[str, str]:
        """The card's options, with `skip_broken` as one more.

        Raises:
            PlanError: if what was typed for one is not KEY=VALUE.
        """
        options = pairs("--data", self.dataset_options)
        if self.skip_broken is not None:
            options["skip_broken"] = str(self.skip_broken)
        return options


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a plan is carried out, and where."""

    out: Annotated[str | Path | None, Flag("Run folder.  [reports/<data>-<digest>]")] = None
    tune: Annotated[int, Flag("Learning-rate trials for every model.")] = 0
    fresh: Annotated[bool, Flag("Train anew what is there.")] = False
    fail_fast: Annotated[bool, Flag("End the run at the first cell that fails.")] = False
    keep: Annotated[
        str | None,
        Flag("Trained networks to keep: all, best or none.  [run: all; else: none]"),
    ] = None
    across_machines: Annotated[
        bool, Flag("Rank under a budget in seconds though machines differ.")
    ] = False
    hung_after: Annotated[
        float, Flag("Seconds without a step until a cell counts as hung.", least=1)
    ] = 900.0
    executor: Annotated[
        str, Flag("Where cells run: local, ray, slurm, or workers (`cnnbench work`).")
    ] = "local"
    jobs: Annotated[
        int, Flag("Cells at once on a device; not under a budget in seconds.", least=1)
    ] = 1
    retries: Annotated[
        int | None,
        Flag("Restarts of a cell whose process was killed.  [local: 0; else: 3]", least=0),
    ] = None
    ray_address: Annotated[str | None, Flag("A Ray cluster.  [a new one, here]")] = None
    slurm: Annotated[
        Mapping[str, Any] | Sequence[str] | None,
        Flag("What SLURM is asked for, KEY=VALUE, like partition=gpu.", typed=list[str]),
    ] = None

    def __post_init__(self) -> None:
        if not self.hung_after >= 1:  # typer asks as much of what is typed
            raise PlanError(f"--hung-after must be at least 1, saw {self.hung_after:g}")
        if self.out is not None and not str(self.out).strip():  # a shell's variable that is not set
            raise PlanError("--out is empty: name a folder, or leave the flag out")
        require_known("--keep", self.keep or KEEPS[0], KEEPS)
        require_known("--executor", self.executor, EXECUTORS)
        if self.ray_address and self.executor != "ray":
            raise PlanError("--ray-address is for --executor ray")
        if self.slurm and self.executor != "slurm":
            raise PlanError("--slurm and [slurm] are for --executor slurm")

    def networks_to_keep(self, request: Request) -> str:
        """Return all, best or none; where none was typed, a smoke run and a sweep keep none."""
        is_sweep = max(len(request.lrs), len(request.batch_sizes)) > 1
        return self.keep or ("none" if request.smoke or is_sweep else "all")

    def keeps(self, request: Request) -> bool:
        """Tell whether each cell is to keep its trained network, at least until all have one."""
        return self.networks_to_keep(request) != "none"

    @property
    def times_to_retry(self) -> int:
        """How often a cell whose process was killed is started again by this command.

        Here the same command goes on with it; elsewhere nobody stands by.
        """
        if self.retries is not None:
            return self.retries
        return 0 if self.executor == "local" else RETRIES_ELSEWHERE

    @property
    def slurm_parameters(self) -> dict[str, str]:
        """What SLURM is asked for. Raises PlanError if what was typed is not KEY=VALUE."""
        return pairs("--slurm", self.slurm)


def require_typed_for_gpus_elsewhere(request: Request) -> None:
    """Check that nothing has to be measured on GPUs that only other machines have; PlanError."""
    if request.precision == "auto" or (request.pixels is None and request.recipe != "paper"):
        raise PlanError(
            "--device cuda: this machine has no GPU, so nothing of those that will train can be "
            "measured from here; type --precision and --image-size"
        )
