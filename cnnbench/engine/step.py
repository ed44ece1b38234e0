"""How is one training step taken, and what does it cost?

The loop, its warm-up, the profiler and the calibration race all come here, so what is measured
and estimated is the step that is charged.
"""

import contextlib
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnnbench.engine.device import Device
from cnnbench.engine.optim import set_lr
from cnnbench.engine.ranks import ALONE, Ranks, bare
from zoo.complexity import training_flops
from zoo.registry import skeleton

__all__ = ["PARTS", "Measure", "training_flops_per_image", "training_step", "unmeasured"]

PARTS = ("data", "forward", "backward", "optimizer")

Measure = Callable[[str], AbstractContextManager[object]]


def unmeasured(part: str) -> AbstractContextManager[object]:
    """Measure nothing."""
    return contextlib.nullcontext()


def training_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    next_batch: Callable[[], tuple[Tensor, Tensor]],
    device: Device,
    *,
    lr: float,
    velocity: bool = False,
    micro_batch: int | None = None,
    measure: Measure = unmeasured,
    ranks: Ranks = ALONE,
    batch_size: int | None = None,
) -> tuple[float, int]:
    """Train on one batch; return its mean loss and how many images were correct.

    A loss that is not finite moves no weight. `measure` gives a context for each of `PARTS`. Of
    several ranks each has its part of the `batch_size` images; what is returned is of all of them.
    """
    with measure("data"):
        images, labels = next_batch()
    set_lr(optimizer, lr, velocity=velocity)
    optimizer.zero_grad(set_to_none=True)
    totals = accumulate_gradients(
        model,
        images,
        labels,
        device,
        micro_batch=micro_batch,
        measure=measure,
        ranks=ranks,
        batch_size=batch_size,
    )
    totals = ranks.summed(totals)
    loss, correct = totals.tolist()  # sync point: the loss is checked before the weights move
    if math.isfinite(loss):
        with measure("optimizer"):
            optimizer.step()
    return loss, int(correct)


def accumulate_gradients(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    device: Device,
    *,
    micro_batch: int | None = None,
    measure: Measure = unmeasured,
    ranks: Ranks = ALONE,
    batch_size: int | None = None,
) -> Tensor:
    """Add up the gradients of a batch, in one pass or several; return (mean loss, correct images).

    Several passes give the gradient of the whole batch, except for BatchNorm, whose statistics
    are then those of each pass. So do several ranks, of which each returns its share of the sums;
    `batch_size` is that of all of them.
    """
    batch_size = batch_size or len(labels)
    totals = torch.zeros(2, device=labels.device)
    small, larger = divmod(batch_size, ranks.count)
    sizes = pass_sizes(len(labels), micro_batch, parts=(small, small + (larger > 0)))
    passes = zip(torch.split(images, sizes), torch.split(labels, sizes), strict=True)
    for number, (pass_images, pass_labels) in enumerate(passes, start=1):
        share = len(pass_labels) / batch_size
        weight = share * ranks.count  # the mean over the ranks is what they add up to
        with ranks.passes(model, is_last=number == len(sizes)):
            with measure("forward"):
                total_loss, loss, logits = _losses(model, pass_images, pass_labels, device)
            with measure("backward"):
                (total_loss * weight if weight != 1 else total_loss).backward()  # type: ignore[no-untyped-call]
        correct = (logits.detach().argmax(dim=1) == pass_labels).sum()
        totals += torch.stack([loss.detach() * share, correct])
    return totals


def pass_sizes(
    batch_size: int, micro_batch: int | None, *, parts: tuple[int, int] | None = None
) -> list[int]:
    """Share a batch out evenly over passes of at most `micro_batch` images, the larger ones first.

    None of a larger batch is of one image, over which BatchNorm has no variance; so passes of
    two take three images once where the batch is odd. Of several ranks `parts` are the smallest
    and the largest batch: all take as many passes, or one would wait for the others for ever.

    >>> pass_sizes(16, None), pass_sizes(16, 8), pass_sizes(33, 16), pass_sizes(5, 2)
    ([16], [8, 8], [11, 11, 11], [3, 2])
    >>> pass_sizes(17, 8, parts=(16, 17)), pass_sizes(16, 8, parts=(16, 17))
    ([6, 6, 5], [6, 5, 5])
    """
    least, most = parts or (batch_size, batch_size)
    n_passes = max(1, min(math.ceil(most / (micro_batch or most)), least // 2))
    small, larger = divmod(batch_size, n_passes)
    return [small + 1] * larger + [small] * (n_passes - larger)


def _losses(
    model: nn.Module, images: Tensor, labels: Tensor, device: Device
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the loss to minimise, auxiliary heads included, the main head's own, its logits."""
    with device.autocast():
        output = model(images)
    if isinstance(output, Tensor):
        loss = functional.cross_entropy(output.float(), labels)
        return loss, loss, output
    main, *auxiliary = (functional.cross_entropy(logits.float(), labels) for logits in output)
    weights: tuple[float, ...] = bare(model).aux_weights  # type: ignore[assignment]
    extra = sum(weight * loss for weight, loss in zip(weights, auxiliary, strict=True))
    return main + extra, main, output[0]


@contextlib.contextmanager
def preserve_state(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Set train mode within a block; then restore mode, buffers and generators, but for MPS's."""
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    was_training = model.training
    model.train()
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        with torch.no_grad():
            for name, value in model.named_buffers():
                value.copy_(buffers[name])
        model.train(was_training)


def training_flops_per_image(model: str, *, num_classes: int, image_size: int) -> float:
    """Return what training on one image costs, in FLOPs, as `zoo.complexity` counts them."""
    network = skeleton(model, num_classes=num_classes, image_size=image_size)
    return training_flops(network, image_size=image_size)
