"""The verbs about this machine: `profile`, `doctor`, and the hidden ones that they start."""

import sys
from typing import Annotated

import typer

from cnnbench.cli.options import STARTED, Json, app
from cnnbench.planning.request import Request


@app.command()
def profile(
    models: Annotated[str, typer.Argument(help="Names with commas between.")],
    batch_size: Annotated[int | None, typer.Option(help="Images a step.  [default: 32]")] = None,
    image_size: Annotated[int | None, typer.Option(help="Pixels.  [the paper's, or auto]")] = None,
    memory: Annotated[
        str | None, typer.Option(help="Memory a model may use, like 8GiB; accumulates batches.")
    ] = None,
    precision: Annotated[str, typer.Option(help="auto, fp32, tf32 or bf16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")] = "auto",
    seconds: Annotated[float, typer.Option(help="Measure each model at least this long.")] = 5.0,
    dataset: Annotated[
        str | None, typer.Option(help="How long would a run on it take?  [fruits, with --budget]")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="How long would a run take?  [2m, with --dataset]")
    ] = None,
    seeds: Annotated[int, typer.Option(help="How many seeds that run has.")] = 1,
    as_json: Json = False,
) -> int:
    """Measure images/s, memory and where the time goes; say how long a run would take here."""
    from cnnbench import api
    from cnnbench.cli.show.machine import show_profiled
    from cnnbench.profiler.profiling import profile as measure

    request = Request(
        models=models,
        dataset=dataset or "fruits",
        budget=budget,
        batch_size=batch_size,
        image_size=image_size,
        memory=memory,
        seeds=seeds,
        device=device,
        precision=precision,
    )
    plan = None if dataset is None and budget is None else api.prepare(request)[0]
    profiled = measure(
        request,
        seconds=seconds,
        plan=plan,
        on_start=lambda model: print(f"profiling {model} ...", file=sys.stderr),
    )
    show_profiled(profiled, as_json=as_json)
    return 1 if profiled.failed else 0


@app.command("profile-one", hidden=True)
def profile_one(job: Annotated[str, typer.Option(help="A ProfileJob as JSON.")]) -> int:
    """Profile one network in this process; `cnnbench profile` starts one of these for each."""
    from cnnbench.profiler.profiling import serve_profile

    return serve_profile(job, started=STARTED)


@app.command("calibrate", hidden=True)
def calibrate() -> int:
    """Measure in this process which settings are fast here; `--precision auto` asks for it."""
    from cnnbench.profiler.race import serve_race

    return serve_race()


@app.command("pace", hidden=True)
def pace() -> None:
    """Tell how fast the networks that stdin names train in this process; a plan asks for it."""
    from cnnbench.profiler.pace import serve_paces

    serve_paces()


@app.command()
def doctor(as_json: Json = False) -> int:
    """Say what this machine can do and what will go wrong on it, with a way out of each."""
    from cnnbench.cli.show.machine import show_findings
    from cnnbench.profiler.doctor import examine

    findings = examine()
    show_findings(findings, as_json=as_json)
    return 1 if any(finding.level == "error" for finding in findings) else 0
