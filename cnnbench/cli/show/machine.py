"""How are the speed of networks and the state of a machine shown?"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from cnnbench.cli.show.console import duration, print_json, print_table, say
from cnnbench.cli.show.foresight import foresight_lines
from cnnbench.profiler.doctor import MachineFinding
from cnnbench.profiler.profiles import CellEstimate, Profile
from cnnbench.profiler.profiling import ProfileOutcome

_KINDS_SHOWN = 5


def show_profiled(profiled: ProfileOutcome, *, as_json: bool) -> None:
    """Show the speed of each network, where its time goes, and how long the run would take."""
    if as_json:
        return print_json(_document(profiled))
    say(profiled.machine)
    if profiled.profiles:
        job = profiled.profiles[0].job
        say(f"torch {profiled.profiles[0].torch}, {job.device}, {job.precision}")
        _show_speed(profiled.profiles)
        _show_kinds(profiled.profiles)
    for failure in profiled.failed:
        say(f"{failure.job.model} was not profiled: {failure.reason}")
    if profiled.estimates and profiled.plan:
        _show_estimates(profiled.estimates, profiled.plan.dataset.name)
        for line in foresight_lines(profiled.plan):
            say(line)
    return None


def show_findings(findings: Sequence[MachineFinding], *, as_json: bool) -> None:
    """Show what was found of this machine; what needs doing comes with a way out."""
    if as_json:
        return print_json([asdict(finding) for finding in findings])
    rows = [(each.level, each.what, each.seen) for each in findings]
    print_table(("", "what", "seen"), rows, "lll")
    for each in findings:
        if each.fix:
            say(f"{each.level}: {each.what}: {each.fix}")
    return None


def _show_speed(profiles: Sequence[Profile]) -> None:
    rows = [
        (
            p.job.model,
            f"{_batch(p)} x {p.job.image_size}",
            f"{p.forward_images_per_second:.1f}",
            f"{p.backward_images_per_second:.1f}",
            f"{p.images_per_second:.1f}",
            f"{p.evaluation_images_per_second:.1f}",
            f"{p.peak_memory_bytes / 2**30:.2f}",
            f"{p.macs / 1e9:.3f}",
            f"{p.matmul_share:.0%}",
        )
        for p in profiles
    ]
    titles = ("model", "batch x pixels", "forward/s", "backward/s", "step/s", "testing/s")
    print_table((*titles, "peak GiB", "MACs (G)", "of matmul"), rows, "lrrrrrrrr")
    rates = ", ".join(f"{p.matmul_flops_per_second / 1e9:,.0f}" for p in profiles)
    say(
        "forward, backward, step and testing in images a second; `of matmul` is the share that a "
        f"step reaches of a large matrix product, measured in turn with it ({rates} GFLOP/s)"
    )


def _batch(profile: Profile) -> str:
    batch, passes = profile.job.batch_size, profile.job.micro_batch
    return f"{batch} in passes of {passes}" if passes else str(batch)


def _show_kinds(profiles: Sequence[Profile]) -> None:
    for p in profiles:
        largest = list(p.kinds.items())[:_KINDS_SHOWN]
        largest.append(("the rest", 1 - sum(share for _, share in largest)))
        say(f"{p.job.model}: {', '.join(f'{kind} {share:.0%}' for kind, share in largest)}")


def _show_estimates(estimates: Sequence[CellEstimate], dataset: str) -> None:
    rows = [
        (
            e.model,
            str(e.seed),
            f"{e.images:,.0f}",
            f"{e.epochs:.1f}",
            duration(e.train_seconds),
            duration(e.evaluation_seconds),
            duration(e.start_seconds),
            duration(e.total_seconds),
        )
        for e in estimates
    ]
    titles = ("model", "seed", "images", "epochs", "training", "testing", "starting", "in all")
    say("")
    print_table(titles, rows, "lrrrrrrr")
    whole = duration(sum(e.total_seconds for e in estimates))
    say(
        f"this run on {dataset} would take about {whole} here, checkpoints and the first decoding "
        "of the images not counted"
    )


def _document(profiled: ProfileOutcome) -> dict[str, Any]:
    derived = (
        "images_per_second",
        "forward_images_per_second",
        "backward_images_per_second",
        "matmul_share",
    )
    return {
        "machine": profiled.machine,
        "profiles": [
            {**p.model_dump(mode="json"), **{name: getattr(p, name) for name in derived}}
            for p in profiled.profiles
        ],
        "failed": [failure.model_dump(mode="json") for failure in profiled.failed],
        "estimates": [{**asdict(e), "total_seconds": e.total_seconds} for e in profiled.estimates],
    }
