"""How much of AlexNet's time does local response normalisation take, ours against torch's?

    python benchmarks/lrn.py

First the layer alone, forward and backward, on the map that follows AlexNet's first convolution
(32 x 96 x 55 x 55): ours against `F.local_response_norm`, whose alpha is n times ours. Then a whole
training step of AlexNet with our LRN, with torch's, and without, in turn.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import time
from collections.abc import Callable

import torch
from machine_line import header
from torch import Tensor, nn
from torch.nn import functional

import zoo
from cnnbench.engine.device import Device, keep_freed_pages, prepare_device
from zoo.layers import LocalResponseNorm

SHAPE = (32, 96, 55, 55)
FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class TorchLocalResponseNorm(nn.Module):
    """torch's own layer with the constants of ours."""

    def __init__(self, ours: LocalResponseNorm) -> None:
        super().__init__()
        self.n, self.alpha, self.beta, self.k = ours.n, ours.alpha * ours.n, ours.beta, ours.k

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `(N, C, H, W)`; torch has no bf16 kernel of it for the CPU."""
        y = functional.local_response_norm(x.float(), self.n, self.alpha, self.beta, self.k)
        return y.to(x.dtype)


def in_turn(works: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return the median seconds of each piece of work, done in turn after one warm-up."""
    seen: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(repeats):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            seen[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seen.items()}


def layer_pass(layer: nn.Module, x: Tensor, device: torch.device) -> Callable[[], None]:
    """Return one forward and backward pass through a layer."""
    x = x.detach().requires_grad_()
    gradient = torch.randn_like(x)

    def work() -> None:
        x.grad = None
        layer(x).backward(gradient)
        if device.type == "cuda":
            torch.cuda.synchronize()

    return work


def show_layer(device: torch.device, repeats: int) -> None:
    """Print the table of the layer alone."""
    print("| precision | memory format | ours, ms | torch, ms | torch / ours |")
    print("|---|---|---:|---:|---:|")
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(SHAPE, generator=generator).relu_()
    ours = LocalResponseNorm()
    for (dtype_name, dtype), (format_name, layout) in itertools.product(
        DTYPES.items(), FORMATS.items()
    ):
        x = maps.to(device, dtype).contiguous(memory_format=layout)
        layers = {"ours": ours, "torch": TorchLocalResponseNorm(ours)}
        works = {name: layer_pass(layer, x, device) for name, layer in layers.items()}
        found = in_turn(works, repeats)
        ratio = found["torch"] / found["ours"]
        print(
            f"| {dtype_name} | {format_name} | {1e3 * found['ours']:.1f} "
            f"| {1e3 * found['torch']:.1f} | {ratio:.2f} |"
        )


def alexnet(norm: Callable[[LocalResponseNorm], nn.Module], args: argparse.Namespace) -> nn.Module:
    """Return AlexNet with each response normalisation replaced by what `norm` makes of it."""
    torch.manual_seed(0)
    model = zoo.build("alexnet", num_classes=10, init="common", image_size=args.image_size)
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, LocalResponseNorm):
                setattr(parent, name, norm(child))
    return model


def step_pass(model: nn.Module, device: Device, args: argparse.Namespace) -> Callable[[], None]:
    """Return one training step of a network on noise."""
    model = model.to(device.torch_device).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6, momentum=0.9, fused=True)
    images = torch.randn(args.batch_size, 3, args.image_size, args.image_size)
    images = images.to(device.torch_device).contiguous(memory_format=torch.channels_last)
    labels = torch.zeros(args.batch_size, dtype=torch.int64, device=device.torch_device)

    def work() -> None:
        optimizer.zero_grad(set_to_none=True)
        with device.autocast():
            logits = model(images)
        functional.cross_entropy(logits.float(), labels).backward()
        optimizer.step()
        device.synchronise()

    return work


def show_step(args: argparse.Namespace) -> None:
    """Print the table of AlexNet's step."""
    device = Device(torch_device=torch.device(args.device), precision=args.precision)
    prepare_device(device)
    norms: dict[str, Callable[[LocalResponseNorm], nn.Module]] = {
        "without LRN": lambda ours: nn.Identity(),
        "our LRN": lambda ours: ours,
        "torch's LRN": TorchLocalResponseNorm,
    }
    works = {name: step_pass(alexnet(norm, args), device, args) for name, norm in norms.items()}
    found = in_turn(works, args.repeats)
    print(f"\nAlexNet, {args.precision}, batch {args.batch_size}, {args.image_size} pixels\n")
    print("| step | ms | against none |")
    print("|---|---:|---:|")
    for name, seconds in found.items():
        print(f"| {name} | {1e3 * seconds:.0f} | {seconds / found['without LRN']:.2f} |")


def main() -> None:
    """Measure the layer and the step, and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", choices=("layer", "step"))
    args = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    keep_freed_pages()
    print(header(args.repeats))
    if args.only != "step":
        show_layer(torch.device(args.device), args.repeats)
    if args.only != "layer":
        show_step(args)


if __name__ == "__main__":
    main()
