"""How fast does a network train in this process, how much memory does it take, and where does
the time go?"""

import contextlib
import functools
import math
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch

import zoo
from cnnbench.data.loader import Batches, evaluation_batches
from cnnbench.engine.device import Device, prepare_device
from cnnbench.engine.evaluate import EVALUATION_BATCH_SIZE, evaluate
from cnnbench.engine.optim import make_optimizer
from cnnbench.engine.step import PARTS, Measure, training_flops_per_image, training_step, unmeasured
from cnnbench.profiler.profiles import Profile, ProfileJob
from cnnbench.schema.cell import stored_size
from cnnbench.schema.recipes import make_recipe

STORED_IMAGES = 64
LEAST_STEPS, MOST_STEPS = 3, 200
TRACED_STEPS = 2
MATMUL_SIDE = {"cpu": 2048, "mps": 4096, "cuda": 8192}
# Leaves the weights where they are: VGG from its paper's start has gradients of 1e5 on noise, which
# a rate of 1e-6 already makes explode.
_LR = 1e-15


class Bench:
    """A network in training on drawn noise, and the seconds that its steps and their parts took."""

    def __init__(self, job: ProfileJob, *, init: zoo.Init = "common") -> None:
        self.device = Device(torch_device=torch.device(job.device), precision=job.precision)
        prepare_device(self.device, threads=job.threads)
        self.seconds: dict[str, list[float]] = {}
        torch.manual_seed(0)
        model = zoo.build(
            job.model, num_classes=job.num_classes, init=init, image_size=job.image_size
        )
        model = model.to(self.device.torch_device).to(memory_format=torch.channels_last)
        self.model = model.train()
        family = zoo.card(job.model).family
        self._recipe = recipe = make_recipe(
            "common", family=family, lr=_LR, batch_size=job.batch_size
        )
        self._optimizer = make_optimizer(self.model, recipe)
        rng, side = np.random.default_rng(0), stored_size(job.image_size, recipe.detail)
        self._pixels = rng.integers(0, 256, (STORED_IMAGES, side, side, 3), dtype=np.uint8)
        self._labels = rng.integers(0, job.num_classes, STORED_IMAGES, dtype=np.int64)
        self._scaling: dict[str, Any] = {
            "image_size": job.image_size,
            "mean": (0.5, 0.5, 0.5),
            "std": (0.25, 0.25, 0.25),
            "device": self.device.torch_device,
        }
        self._batches = Batches(
            self._pixels,
            self._labels,
            seed=0,
            augment=recipe.augment,
            least_area=recipe.least_area,
            **self._scaling,
        )
        self._position, self._batch_size = 0, job.batch_size
        self._micro_batch = job.micro_batch

    def step(self, measure: Measure = unmeasured, *, n_images: int | None = None) -> None:
        """Take the training step that a run is charged for, on a batch of the job or a smaller."""
        batch_size = n_images or self._batch_size
        self._position += batch_size
        loss, _ = training_step(
            self.model,
            self._optimizer,
            lambda: self._batches.batch(self._position, batch_size),
            self.device,
            lr=_LR,
            micro_batch=self._micro_batch,
            measure=measure,
        )
        if not math.isfinite(loss):
            raise RuntimeError(f"the training loss on drawn noise is {loss}")

    @contextlib.contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Note the seconds of a block, the device being idle at both ends."""
        self.device.synchronise()
        start = time.perf_counter()
        yield
        self.device.synchronise()
        self.seconds.setdefault(name, []).append(time.perf_counter() - start)

    def evaluate(self) -> None:
        """Evaluate the network on all the noise."""
        batches = evaluation_batches(
            self._pixels, self._labels, EVALUATION_BATCH_SIZE, **self._scaling
        )
        evaluate(self.model, [batches], self.device)

    def least(self, name: str) -> float:
        """Return the seconds of the quickest block of one name."""
        return min(self.seconds[name])

    def median(self, name: str) -> float:
        """Return the median seconds of the blocks of one name."""
        return statistics.median(self.seconds[name])


def profile(job: ProfileJob, *, started: float) -> Profile:
    """Measure a network on drawn noise; `started` is the monotonic time the process began at.

    Raises:
        ValueError: the image is too small for the network.
        RuntimeError: the device cannot do it, for instance for lack of memory.
    """
    bench = Bench(job)
    network = {"num_classes": job.num_classes, "image_size": job.image_size}
    facts = zoo.describe(job.model, **network)
    flops_per_image = training_flops_per_image(job.model, **network)
    bench.step()
    start_seconds = time.monotonic() - started
    multiply, matmul_flops = _matmul(bench.device)
    steps = _measure(bench, multiply, seconds=job.seconds)
    work_kinds = _trace(bench)
    peak_memory_bytes = bench.device.peak_memory_bytes()
    bench.evaluate()  # the first pass warms up
    with bench.measure("evaluation"):
        bench.evaluate()
    return Profile(
        job=job,
        params=facts.params,
        macs=facts.macs,
        training_flops_per_image=flops_per_image,
        steps=steps,
        **{f"{part}_seconds": bench.median(part) for part in ("step", *PARTS)},
        evaluation_images_per_second=STORED_IMAGES / bench.median("evaluation"),
        peak_memory_bytes=peak_memory_bytes,
        matmul_flops_per_second=matmul_flops / bench.median("matmul"),
        kinds=work_kinds,
        start_seconds=start_seconds,
        threads=torch.get_num_threads(),
        torch=str(torch.__version__),
    )


def _matmul(device: Device) -> tuple[Callable[[], object], float]:
    """Return a large square matrix product, the best that the machine can do, and its FLOPs."""
    side = MATMUL_SIDE[device.torch_device.type]
    dtype = torch.bfloat16 if device.precision == "bf16" else torch.float32
    generator = torch.Generator().manual_seed(0)
    left, right = torch.rand(2, side, side, generator=generator).to(device.torch_device, dtype)
    multiply = functools.partial(torch.mm, left, right, out=torch.empty_like(left))
    multiply()  # the first call picks a kernel
    return multiply, 2.0 * side**3


def _measure(bench: Bench, multiply: Callable[[], object], *, seconds: float) -> int:
    """Measure the product, a whole step and a step part by part in turn; return the rounds."""
    start, rounds = time.monotonic(), 0
    while rounds < LEAST_STEPS or (time.monotonic() - start < seconds and rounds < MOST_STEPS):
        with bench.measure("matmul"):
            multiply()
        with bench.measure("step"):
            bench.step()
        bench.step(bench.measure)
        rounds += 1
    return rounds


# -- kinds of work --------------------------------------------------------------------------------

# The first kind with a word in the operation's name wins, so their order matters. Names are those
# of the outermost operations in a trace of torch.profiler; backward operations look like
# "autograd::engine::evaluate_function: ConvolutionBackward0".
_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("data", ("data",)),
    ("optimizer", ("optimizer.", "accumulategrad")),
    ("LRN", ("localresponsenorm", "local_response_norm")),
    ("convolution", ("conv",)),
    ("linear", ("linear", "addmm", "matmul", "mmbackward", "tbackward", "aten::mm", "bmm")),
    ("norm", ("batch_norm", "batchnorm", "layer_norm", "layernorm", "group_norm", "groupnorm")),
    ("pooling", ("pool",)),
    ("dropout", ("dropout", "bernoulli")),
    (
        "activation",
        ("relu", "tanh", "sigmoid", "gelu", "silu", "hardtanh", "hardswish", "softplus", "clamp"),
    ),
    ("loss", ("cross_entropy", "nllloss", "nll_loss", "softmax")),
    ("join", ("aten::add", "addbackward", "aten::cat", "catbackward", "splitbackward")),
    ("cast", ("aten::to", "tocopy", "_to_copy")),
)
OTHER = "other"
WORK_KINDS = (*(kind for kind, _ in _WORDS), OTHER)


def _trace(bench: Bench) -> dict[str, float]:
    """Return the share of each kind of work in a step; cutting the batch counts as `data`."""
    on_gpu = bench.device.torch_device.type == "cuda"
    activities = [torch.profiler.ProfilerActivity.CPU]
    activities += [torch.profiler.ProfilerActivity.CUDA] if on_gpu else []

    def name_data(part: str) -> AbstractContextManager[object]:
        record = torch.profiler.record_function
        return record(part) if part == "data" else contextlib.nullcontext()

    with torch.profiler.profile(activities=activities) as trace:
        for _ in range(TRACED_STEPS):
            bench.step(name_data)
        bench.device.synchronise()
    return work_shares(trace.events(), on_device=on_gpu)


def work_kind(operation: str) -> str:
    """Return the kind of work that an operation is, from its name in a trace.

    >>> work_kind("autograd::engine::evaluate_function: ConvolutionBackward0")
    'convolution'
    """
    name = operation.lower()
    return next((kind for kind, words in _WORDS if any(word in name for word in words)), OTHER)


def work_shares(events: Iterable[Any], *, on_device: bool) -> dict[str, float]:
    """Share out the time of a trace's outermost operations; the largest share first.

    `events` are those of `torch.profiler.profile.events()`; `on_device` counts the time of the
    kernels on the accelerator instead of the time of the calls on the processor.
    """
    totals: dict[str, float] = {}
    for event in events:
        if event.cpu_parent is None:
            spent = event.device_time_total if on_device else event.cpu_time_total
            kind = work_kind(event.name)
            totals[kind] = totals.get(kind, 0.0) + spent
    total = sum(totals.values())
    ordered = sorted(totals.items(), key=lambda item: -item[1])
    return {kind: spent / total for kind, spent in ordered if spent > 0}
