"""How fast does a network train in this process, how much memory does it take, and where does
the time go?"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import zoo
from cnnbench.data.loader import Batches, evaluation_batches
from cnnbench.engine import device as machines
from cnnbench.engine.evaluate import evaluate
from cnnbench.engine.flops import training_flops_per_image
from cnnbench.engine.optim import make_optimizer
from cnnbench.profiler.profiles import Profile, ProfileJob
from cnnbench.schema.cell import stored_size
from cnnbench.schema.recipes import make_recipe
from zoo.registry import skeleton

STORED_IMAGES = 64
EVALUATION_BATCH = 32
LEAST_STEPS, MOST_STEPS = 3, 200
TRACED_STEPS = 2
MATMUL_SIDE = {"cpu": 2048, "mps": 4096, "cuda": 8192}
_MEAN, _STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


@dataclass(kw_only=True, slots=True)
class _Bench:
    """One network with what its steps need, and the seconds that were seen."""

    machine: machines.Machine
    model: nn.Module
    optimizer: torch.optim.SGD
    stream: Batches
    batch_size: int
    position: int = 0
    seen: dict[str, list[float]] = field(default_factory=dict)

    def timed(self, name: str, work: Callable[[], object]) -> None:
        """Do some work between two waits for the device, and note its seconds."""
        self.machine.synchronise()
        start = time.perf_counter()
        work()
        self.machine.synchronise()
        self.seen.setdefault(name, []).append(time.perf_counter() - start)

    def median(self, name: str) -> float:
        return statistics.median(self.seen[name])


def profile(job: ProfileJob, *, started: float) -> Profile:
    """Measure a network on drawn noise; `started` is the monotonic time the process began at.

    Raises:
        ValueError: the image is too small for the network.
        RuntimeError: the device cannot do it, for instance for lack of memory.
    """
    machine = machines.prepare(job.device, job.precision, threads=job.threads)
    bench = _bench(job, machine)
    facts = zoo.describe(job.model, num_classes=job.num_classes, image_size=job.image_size)
    laid_out = skeleton(job.model, num_classes=job.num_classes, image_size=job.image_size)
    flops_per_image = training_flops_per_image(laid_out, image_size=job.image_size)
    _step(bench)
    start_seconds = time.monotonic() - started
    matmul = _Matmul(machine)
    steps = _measure(bench, matmul, seconds=job.seconds)
    kinds = _trace(bench)
    peak_memory_bytes = machine.peak_memory_bytes()
    return Profile(
        job=job,
        params=facts.params,
        macs=facts.macs,
        training_flops_per_image=flops_per_image,
        steps=steps,
        step_seconds=bench.median("step"),
        data_seconds=bench.median("data"),
        forward_seconds=bench.median("forward"),
        backward_seconds=bench.median("backward"),
        optimizer_seconds=bench.median("optimizer"),
        evaluation_images_per_second=_evaluation_rate(job, bench),
        peak_memory_bytes=peak_memory_bytes,
        matmul_flops_per_second=matmul.flops / bench.median("matmul"),
        kinds=kinds,
        start_seconds=start_seconds,
        threads=torch.get_num_threads(),
        torch=str(torch.__version__),
    )


class _Matmul:
    """A large square matrix product, as a measure of what the machine can do at best."""

    def __init__(self, machine: machines.Machine) -> None:
        side = MATMUL_SIDE[machine.device.type]
        dtype = torch.bfloat16 if machine.precision == "bf16" else torch.float32
        generator = torch.Generator().manual_seed(0)
        factors = torch.rand(2, side, side, generator=generator).to(machine.device, dtype)
        self._left, self._right = factors
        self._product = torch.empty_like(self._left)
        self.flops = 2.0 * side**3
        self()

    def __call__(self) -> None:
        torch.mm(self._left, self._right, out=self._product)


def _bench(job: ProfileJob, machine: machines.Machine) -> _Bench:
    torch.manual_seed(0)
    model = zoo.build(
        job.model, num_classes=job.num_classes, init="common", image_size=job.image_size
    )
    model = model.to(machine.device).to(memory_format=torch.channels_last).train()
    family = zoo.card(job.model).family
    # A rate this small leaves the weights near their start, however many steps are measured.
    recipe = make_recipe("common", family=family, lr=1e-6, batch_size=job.batch_size)
    images, labels = _noise(job)
    stream = Batches(
        images,
        labels,
        seed=0,
        image_size=job.image_size,
        augment="crop-flip",
        mean=_MEAN,
        std=_STD,
        device=machine.device,
    )
    return _Bench(
        machine=machine,
        model=model,
        optimizer=make_optimizer(model, recipe),
        stream=stream,
        batch_size=job.batch_size,
    )


def _noise(job: ProfileJob) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    side = stored_size(job.image_size)
    images = rng.integers(0, 256, (STORED_IMAGES, side, side, 3), dtype=np.uint8)
    return images, rng.integers(0, job.num_classes, STORED_IMAGES, dtype=np.int64)


def _measure(bench: _Bench, matmul: Callable[[], None], *, seconds: float) -> int:
    """Measure the product, a whole step and a step part by part in turn; return the rounds."""
    start, rounds = time.monotonic(), 0
    while rounds < LEAST_STEPS or (time.monotonic() - start < seconds and rounds < MOST_STEPS):
        bench.timed("matmul", matmul)
        bench.timed("step", lambda: _step(bench))
        _step_in_parts(bench)
        rounds += 1
    return rounds


def _step(bench: _Bench) -> None:
    with torch.profiler.record_function(DATA):
        images, labels = _next_batch(bench)
    bench.optimizer.zero_grad(set_to_none=True)
    _loss(bench, images, labels).backward()  # type: ignore[no-untyped-call]
    bench.optimizer.step()


def _step_in_parts(bench: _Bench) -> None:
    batch: list[Tensor] = []
    losses: list[Tensor] = []
    bench.timed("data", lambda: batch.extend(_next_batch(bench)))
    bench.optimizer.zero_grad(set_to_none=True)
    bench.timed("forward", lambda: losses.append(_loss(bench, *batch)))
    bench.timed("backward", lambda: losses[0].backward())  # type: ignore[no-untyped-call]
    bench.timed("optimizer", bench.optimizer.step)


def _next_batch(bench: _Bench) -> tuple[Tensor, Tensor]:
    bench.position += bench.batch_size
    return bench.stream.batch(bench.position, bench.batch_size)


def _loss(bench: _Bench, images: Tensor, labels: Tensor) -> Tensor:
    with bench.machine.autocast():
        output = bench.model(images)
    outputs = (output,) if isinstance(output, Tensor) else tuple(output)
    losses = [functional.cross_entropy(logits.float(), labels) for logits in outputs]
    return torch.stack(losses).sum()


def _trace(bench: _Bench) -> dict[str, float]:
    on_gpu = bench.machine.device.type == "cuda"
    activities = [torch.profiler.ProfilerActivity.CPU]
    activities += [torch.profiler.ProfilerActivity.CUDA] if on_gpu else []
    with torch.profiler.profile(activities=activities) as trace:
        for _ in range(TRACED_STEPS):
            _step(bench)
        bench.machine.synchronise()
    return shares(trace.events(), on_device=on_gpu)


def _evaluation_rate(job: ProfileJob, bench: _Bench) -> float:
    images, labels = _noise(job)
    for _ in range(2):  # the first pass warms up
        batches = evaluation_batches(
            images,
            labels,
            EVALUATION_BATCH,
            image_size=job.image_size,
            mean=_MEAN,
            std=_STD,
            device=bench.machine.device,
        )
        bench.timed("evaluation", lambda: evaluate(bench.model, [batches], bench.machine))  # noqa: B023
    return STORED_IMAGES / bench.seen["evaluation"][-1]


# -- kinds of work --------------------------------------------------------------------------------

DATA = "data"

# The first kind with a word in the operation's name wins, so `conv` stands before `relu` would be
# asked. Names are those of the outermost operations in a trace of torch.profiler; backward ones
# look like "autograd::engine::evaluate_function: ConvolutionBackward0".
_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (DATA, (DATA,)),
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
KINDS = (*(kind for kind, _ in _WORDS), OTHER)


def kind_of(operation: str) -> str:
    """Return the kind of an operation from its name in a trace.

    >>> kind_of("autograd::engine::evaluate_function: ConvolutionBackward0")
    'convolution'
    """
    name = operation.lower()
    return next((kind for kind, words in _WORDS if any(word in name for word in words)), OTHER)


def shares(events: Iterable[Any], *, on_device: bool) -> dict[str, float]:
    """Share out the time of a trace's outermost operations; the largest share first.

    `events` are those of `torch.profiler.profile.events()`; `on_device` counts the time of the
    kernels on the accelerator instead of the time of the calls on the processor.
    """
    totals: dict[str, float] = {}
    for event in events:
        if event.cpu_parent is None:
            spent = event.device_time_total if on_device else event.cpu_time_total
            kind = kind_of(event.name)
            totals[kind] = totals.get(kind, 0.0) + spent
    whole = sum(totals.values())
    ordered = sorted(totals.items(), key=lambda item: -item[1])
    return {kind: spent / whole for kind, spent in ordered if spent > 0}
