"""Which share of the machine's matrix product rate does a training step of each network reach?

    python benchmarks/machine_share.py --models vgg11 resnet18 alexnet --batch-size 128

It is `cnnbench profile` several times over: every profile in a process of its own, the product of
two large matrices measured in turn with the steps. A share above one half is rare: pooling,
normalisation and activations move memory and multiply nothing.
"""

from __future__ import annotations

import argparse
import statistics

from machine_line import header

import zoo
from cnnbench.engine.hardware import choose_device, detect
from cnnbench.profiler.calibration import fastest_settings
from cnnbench.profiler.profiles import FailedProfile, Profile, ProfileJob
from cnnbench.profiler.profiling import profile_in_subprocess

CLASSES = 10


def jobs(args: argparse.Namespace) -> list[ProfileJob]:
    """Return what is profiled, one job a model and image size."""
    hardware = detect()
    device = choose_device(args.device, hardware)
    choice = fastest_settings(args.precision, device=device, hardware=hardware)
    return [
        ProfileJob(
            model=zoo.resolve(name),
            num_classes=CLASSES,
            batch_size=args.batch_size,
            image_size=size or zoo.card(name).image_size,
            precision=choice.precision,
            device=device,
            threads=choice.threads,
            seconds=args.seconds,
        )
        for size in args.image_size or [None]
        for name in args.models
    ]


def row(found: list[Profile]) -> str:
    """Return one line of the table: medians over the repeats."""
    job = found[0].job
    middle = {
        "rate": statistics.median(each.images_per_second for each in found),
        "product": statistics.median(each.matmul_flops_per_second / 1e9 for each in found),
        "share": statistics.median(each.matmul_share for each in found),
        "memory": statistics.median(each.peak_memory_bytes / 2**30 for each in found),
    }
    kinds = ", ".join(f"{kind} {share:.0%}" for kind, share in list(found[-1].kinds.items())[:4])
    return (
        f"| {job.model} | {job.precision} | {job.batch_size} x {job.image_size} "
        f"| {middle['rate']:.1f} | {middle['product']:,.0f} | {middle['share']:.0%} "
        f"| {middle['memory']:.2f} | {kinds} |"
    )


def main() -> None:
    """Profile every model in turn and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["vgg11", "resnet18", "alexnet"])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--image-size", type=int, nargs="+")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    asked = jobs(args)
    seen: dict[tuple[int, str], list[Profile]] = {}
    for _ in range(args.repeats):
        for job in asked:
            found = profile_in_subprocess(job)
            if isinstance(found, FailedProfile):
                raise SystemExit(f"{job.model}: {found.reason}")
            seen.setdefault((job.image_size, job.model), []).append(found)
    print(header(args.repeats))
    print(
        "| model | precision | batch x pixels | images/s | matmul GFLOP/s | share | peak GiB "
        "| where the time goes |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---|")
    for profiles in seen.values():
        print(row(profiles))


if __name__ == "__main__":
    main()
