"""How many images a second from JPEG files to weights: ours against timm and plain PyTorch?

    python benchmarks/step_rate.py --models resnet18 vgg11 --photos FOLDER

The contenders train the same network on the same files, one after another in processes of their
own, and take turns; the first steps of each are not counted.

- `ours` is the loop of cnnbench over its decoded cache, with the device and precision of `auto`
  unless `--precision` says otherwise. Decoding, done once for all runs, is not counted.
- `timm best` and `timm default` are the loop of timm's `train.py`, which its wheel leaves out,
  written again over timm's own `create_dataset`, `create_loader`, `create_model` and
  `create_optimizer_v2`: its default augmentation, workers and label smoothing; `best` adds
  `--amp --amp-dtype bfloat16 --channels-last`.
- `plain` is the loop of a tutorial: torchvision's `ImageFolder` and `DataLoader`, random crops,
  fp32, SGD; `--compile` puts `torch.compile` around its network, bf16 and channels_last.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from machine_line import header
from photos import write_photos
from torch import Tensor, nn

WARM_STEPS = 3
TIMM_WORKERS = 4  # the default of train.py
TIMM_ONLY_HERE = {"alexnet", "googlenet"}  # networks that timm does not have
CONTENDERS = ("ours", "timm best", "timm default", "plain", "plain compiled")


class TimedBatches:
    """Training batches that note when each was asked for."""

    def __init__(self, batches: Any) -> None:
        self._batches = batches
        self.asked: list[float] = []

    @property
    def epoch_images(self) -> int:
        """The number of images in one epoch."""
        return int(self._batches.epoch_images)

    def batch(self, start: int, size: int) -> tuple[Tensor, Tensor]:
        """Return a batch of the source within."""
        self.asked.append(time.monotonic())
        images, labels = self._batches.batch(start, size)
        return images, labels


def ours(args: argparse.Namespace) -> float:
    """Train with the loop of cnnbench and return images a second."""
    import zoo
    from cnnbench.data.augment import channel_statistics
    from cnnbench.data.loader import Batches
    from cnnbench.data.open import open_dataset
    from cnnbench.data.pixels.cache import decoded
    from cnnbench.engine.clock import Clock
    from cnnbench.engine.device import Device, prepare_device
    from cnnbench.engine.evaluate import Evaluation, score
    from cnnbench.engine.hardware import detect
    from cnnbench.engine.state import Training
    from cnnbench.engine.train import train
    from cnnbench.profiler.calibration import fastest_settings
    from cnnbench.schema.budget import Budget
    from cnnbench.schema.cell import stored_size
    from cnnbench.schema.recipes import make_recipe

    choice = fastest_settings(args.precision, device=args.device, hardware=detect())
    device = Device(torch_device=torch.device(args.device), precision=choice.precision)
    prepare_device(device, threads=choice.threads)
    dataset = open_dataset(str(args.photos))
    split = decoded(dataset, "train", stored_size(args.image_size), folder=args.cache)
    mean, std = channel_statistics(split.images)
    classes = len(dataset.classes)
    torch.manual_seed(0)
    model = zoo.build(args.model, num_classes=classes, init="common", image_size=args.image_size)
    model = model.to(device.torch_device).to(memory_format=torch.channels_last)
    batches = Batches(
        split.images,
        split.labels,
        seed=0,
        image_size=args.image_size,
        augment="crop-flip",
        mean=mean,
        std=std,
        device=device.torch_device,
    )
    timed, ended = TimedBatches(batches), math.nan

    def end() -> Evaluation:
        nonlocal ended
        ended = time.monotonic()
        return score(torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64))

    training = Training(
        model=model,
        batches=timed,
        evaluate=end,
        recipe=make_recipe("common", family="none", lr=1e-4, batch_size=args.batch_size),
        budget=Budget.parse(f"{(WARM_STEPS + args.steps) * args.batch_size}img"),
        device=device,
        clock=Clock(synchronise=device.synchronise),
        params=0,
        macs=0,
        flops_per_image=1.0,
        evaluations=1,
        curve_split="test",
        curve_is_headline=True,
        checkpoint_seconds=math.inf,
    )
    for _ in train(training):
        pass
    return args.steps * args.batch_size / (ended - timed.asked[-args.steps])


def timm_loop(args: argparse.Namespace, *, best: bool) -> float:
    """Train as timm's `train.py` does and return images a second."""
    import timm
    from timm.data import create_dataset, create_loader
    from timm.loss import LabelSmoothingCrossEntropy
    from timm.optim import create_optimizer_v2

    device = torch.device(args.device)
    model = timm.create_model(args.model, num_classes=_classes(args.photos)).to(device)
    if best:
        model = model.to(memory_format=torch.channels_last)
    optimizer = create_optimizer_v2(model, opt="sgd", lr=1e-4, momentum=0.9, weight_decay=2e-5)
    loader = create_loader(
        create_dataset("", root=str(args.photos), split="train", is_training=True),
        input_size=(3, args.image_size, args.image_size),
        batch_size=args.batch_size,
        is_training=True,
        scale=(0.08, 1.0),
        ratio=(3 / 4, 4 / 3),
        interpolation="random",
        num_workers=TIMM_WORKERS,
        device=device,
    )
    loss = LabelSmoothingCrossEntropy(0.1).to(device)
    return _loop(args, model, optimizer, loss, loader, amp=best, channels_last=best)


def plain_loop(args: argparse.Namespace, *, compiled: bool) -> float:
    """Train as a tutorial does and return images a second."""
    import torchvision
    from torch.utils.data import DataLoader
    from torchvision import transforms

    device = torch.device(args.device)
    build: Callable[..., nn.Module] = getattr(torchvision.models, args.model)
    classes = _classes(args.photos)
    extra = {"init_weights": True} if args.model == "googlenet" else {}
    model = build(num_classes=classes, **extra).to(device)
    if compiled:
        model = torch.compile(model.to(memory_format=torch.channels_last))  # type: ignore[assignment]
    steps = [
        transforms.RandomResizedCrop(args.image_size),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]
    files = torchvision.datasets.ImageFolder(str(args.photos / "train"), transforms.Compose(steps))
    loader = DataLoader(
        files,
        batch_size=args.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=args.workers,
        persistent_workers=args.workers > 0,
        pin_memory=args.device == "cuda",
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9, weight_decay=5e-4)
    loss = nn.CrossEntropyLoss()
    return _loop(args, model, optimizer, loss, loader, amp=compiled, channels_last=compiled)


def _loop(
    args: argparse.Namespace,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: nn.Module,
    loader: Iterable[Any],
    *,
    amp: bool,
    channels_last: bool,
) -> float:
    device = torch.device(args.device)
    model.train()
    start = math.nan
    for step, (images, labels) in enumerate(_endless(loader)):
        if step == WARM_STEPS:
            _synchronise(device)
            start = time.monotonic()
        if step == WARM_STEPS + args.steps:
            _synchronise(device)
            break
        images, labels = images.to(device), labels.to(device)
        if channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=amp):
            output = model(images)
            output = output if isinstance(output, Tensor) else output[0]
            value = loss(output, labels)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return args.steps * args.batch_size / (time.monotonic() - start)


def _endless(loader: Iterable[Any]) -> Iterator[Any]:
    while True:
        yield from loader


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _classes(photos: Path) -> int:
    return sum(1 for path in (photos / "train").iterdir() if path.is_dir())


def run_one(args: argparse.Namespace) -> float:
    """Run one contender in this process."""
    match args.contender:
        case "ours":
            return ours(args)
        case "timm best" | "timm default":
            return timm_loop(args, best=args.contender == "timm best")
        case _:
            return plain_loop(args, compiled=args.contender == "plain compiled")


def race(args: argparse.Namespace, photos: Path) -> dict[tuple[str, str], list[float]]:
    """Let every contender train every model it has, in turn; return images a second."""
    pairs = [
        (model, entry)
        for model in args.models
        for entry in args.contenders
        if not (entry.startswith("timm") and model in TIMM_ONLY_HERE)
    ]
    seen: dict[tuple[str, str], list[float]] = {pair: [] for pair in pairs}
    for _ in range(args.repeats):
        for model, entry in pairs:
            words = ["--contender", entry, "--model", model, "--photos", str(photos)]
            command = [sys.executable, *sys.argv, *words]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            seen[model, entry].append(float(json.loads(done.stdout.splitlines()[-1])))
            print(f"{model} {entry}: {seen[model, entry][-1]:.1f}", file=sys.stderr)
    return seen


def show(seen: dict[tuple[str, str], list[float]]) -> None:
    """Print the medians, and how many times as fast ours is."""
    print("| model | contender | images/s | ours is faster by |")
    print("|---|---|---:|---:|")
    rates = {pair: statistics.median(values) for pair, values in seen.items()}
    for (model, entry), rate in rates.items():
        reference = rates.get((model, "ours"))
        ratio = "" if reference is None or entry == "ours" else f"{reference / rate:.2f}"
        print(f"| {model} | {entry} | {rate:.1f} | {ratio} |")


def main() -> None:
    """Draw or take photos, let the contenders race, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["resnet18", "vgg11"])
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS[:4]), choices=CONTENDERS)
    parser.add_argument("--photos", type=Path, help="folder with train/CLASS/*; drawn if left out")
    parser.add_argument("--cache", type=Path, help="folder of the decoded images")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--workers", type=int, default=2, help="of the plain loop")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--model", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.contender:
        print(json.dumps(run_one(args)))
        return
    with tempfile.TemporaryDirectory() as name:
        photos = args.photos or write_photos(Path(name) / "photos", train=600, val=24)
        seen = race(args, photos.absolute())
    print(header(args.repeats))
    show(seen)


if __name__ == "__main__":
    main()
