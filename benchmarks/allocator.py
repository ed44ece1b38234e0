"""Which memory settings make a training step fast without holding more memory than it needs?

    python benchmarks/allocator.py --model vgg11 --image-size 128 --steps 6

Every setting runs in a process of its own, because what an allocator has done cannot be undone.
Page faults and system seconds are counted by the kernel: other processes hardly move them.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field

from machine_line import header

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -2, -3, -4
MIB = 2**20
KEEP = ((M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 64 * MIB))
HUGE_PAGES = {"THP_MEM_ALLOC_ENABLE": "1"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """glibc options, set by `mallopt`, and environment variables, set before the process."""

    options: tuple[tuple[int, int], ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


SETTINGS = {
    "as the system gives it": Setting(),
    "no mmap, never trim": Setting(options=((M_MMAP_MAX, 0), *KEEP)),
    "never trim": Setting(options=KEEP),
    "mmap from 32 MiB, never trim": Setting(options=((M_MMAP_THRESHOLD, 32 * MIB), *KEEP)),
    "huge pages": Setting(environment=HUGE_PAGES),
    "mmap from 32 MiB, never trim, huge pages": Setting(
        options=((M_MMAP_THRESHOLD, 32 * MIB), *KEEP), environment=HUGE_PAGES
    ),
    "no mmap, never trim, huge pages": Setting(
        options=((M_MMAP_MAX, 0), *KEEP), environment=HUGE_PAGES
    ),
}


def measure(setting: Setting, args: argparse.Namespace) -> dict[str, float]:
    """Train a few steps under a setting and return seconds, faults and memory."""
    import torch
    from torch.nn import functional

    import zoo

    mallopt = ctypes.CDLL(None).mallopt
    for option, value in setting.options:
        if not mallopt(option, value):
            raise RuntimeError(f"mallopt({option}, {value}) was refused")
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    model = zoo.build(args.model, num_classes=10, init="common", image_size=args.image_size)
    model = model.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9, fused=True)
    images = torch.randn(args.batch_size, 3, args.image_size, args.image_size)
    images = images.to(memory_format=torch.channels_last)
    labels = torch.zeros(args.batch_size, dtype=torch.int64)
    seconds, before = [], resource.getrusage(resource.RUSAGE_SELF)
    for step in range(args.steps + 2):
        if step == 2:
            before = resource.getrusage(resource.RUSAGE_SELF)
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.precision == "bf16"):
            output = model(images)
        outputs = output if isinstance(output, tuple) else (output,)
        sum(functional.cross_entropy(logits.float(), labels) for logits in outputs).backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "milliseconds": 1e3 * statistics.median(seconds[2:]),
        "faults": (after.ru_minflt - before.ru_minflt) / args.steps,
        "system_milliseconds": 1e3 * (after.ru_stime - before.ru_stime) / args.steps,
        "peak_gib": after.ru_maxrss / 2**20,
    }


def main() -> None:
    """Measure every setting in turn, several times, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="vgg11")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--setting", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.setting:
        print(json.dumps(measure(SETTINGS[args.setting], args)))
        return
    found: dict[str, list[dict[str, float]]] = {name: [] for name in SETTINGS}
    for _ in range(args.repeats):
        for name, setting in SETTINGS.items():
            command = [sys.executable, *sys.argv, "--setting", name]
            environment = {**os.environ, **setting.environment}
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
            found[name].append(json.loads(done.stdout))
    print(header(args.repeats))
    print("| setting | ms a step | page faults a step | system ms a step | peak GiB |")
    print("|---|---:|---:|---:|---:|")
    for name, runs in found.items():
        middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        print(
            f"| {name} | {middle['milliseconds']:.0f} | {middle['faults']:,.0f} "
            f"| {middle['system_milliseconds']:.0f} | {middle['peak_gib']:.2f} |"
        )


if __name__ == "__main__":
    main()
