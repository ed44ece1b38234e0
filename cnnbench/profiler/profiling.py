"""What does `cnnbench profile` measure, each network in a process of its own?"""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import zoo
from cnnbench.base.processes import death_of, run_verb
from cnnbench.base.words import last_line
from cnnbench.engine.hardware import choose_device, detect, machine_line
from cnnbench.planning.passes import memory_and_passes
from cnnbench.planning.request import PlanError, Request, plan_errors, split_commas
from cnnbench.profiler.calibration import fastest_settings
from cnnbench.profiler.profiles import (
    CellEstimate,
    FailedProfile,
    Profile,
    ProfileJob,
    estimate,
    job_of,
)
from cnnbench.schema.cell import Cell, Plan
from cnnbench.schema.recipes import COMMON_BATCH_SIZE

__all__ = ["ProfileOutcome", "profile", "profile_in_subprocess", "serve_profile"]

CLASSES_WITHOUT_DATASET = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfileOutcome:
    """What `cnnbench profile` measured; `plan` and `estimates` only where a run was described."""

    machine: str
    profiles: tuple[Profile, ...]
    failed: tuple[FailedProfile, ...]
    plan: Plan | None
    estimates: tuple[CellEstimate, ...]


def profile(
    request: Request,
    *,
    seconds: float = 5.0,
    plan: Plan | None = None,
    on_start: Callable[[str], None] = lambda model: None,
) -> ProfileOutcome:
    """Profile every model in a process of its own; estimate `plan`, made of `request`, if given.

    Raises:
        PlanError: if a number or a word is wrong.
        UnknownModel: if a name is.
    """
    if not seconds > 0:
        raise PlanError(f"--seconds must be more than zero, saw {seconds:g}")
    jobs = _jobs_of(plan, seconds) if plan else _jobs(request, seconds)
    attempts = []
    for job in jobs:
        on_start(job.model)
        attempts.append(profile_in_subprocess(job))
    profiles = tuple(attempt for attempt in attempts if isinstance(attempt, Profile))
    by_model = {profile.job.model: profile for profile in profiles}
    return ProfileOutcome(
        machine=machine_line(detect(), jobs[0].device),
        profiles=profiles,
        failed=tuple(attempt for attempt in attempts if isinstance(attempt, FailedProfile)),
        plan=plan,
        estimates=tuple(estimate(plan, by_model)) if plan else (),
    )


def _jobs_of(plan: Plan, seconds: float) -> list[ProfileJob]:
    first_cells: dict[str, Cell] = {}
    for cell in plan.cells:
        first_cells.setdefault(cell.model, cell)
    return [job_of(cell, plan, seconds=seconds) for cell in first_cells.values()]


def _jobs(request: Request, seconds: float) -> list[ProfileJob]:
    models = list(dict.fromkeys(zoo.resolve(name) for name in split_commas(request.models)))
    if not models:
        raise PlanError("no model was named; `cnnbench models` lists all")
    batch_size = next(iter(request.batch_sizes), None)
    for flag, value in (("--batch-size", batch_size), ("--image-size", request.pixels)):
        if value is not None and value < 1:
            raise PlanError(f"{flag} must be at least 1, saw {value}")
    hardware = detect()
    with plan_errors():
        device = choose_device(request.device, hardware)
        choice = fastest_settings(request.precision, device=device, hardware=hardware)
    jobs = []
    for model in models:
        network = {
            "num_classes": CLASSES_WITHOUT_DATASET,
            "batch_size": batch_size or COMMON_BATCH_SIZE,
            "image_size": request.pixels or zoo.card(model).image_size,
        }
        _, micro_batch = memory_and_passes(request.memory, model, **network)
        jobs.append(
            ProfileJob(
                model=model,
                **network,
                micro_batch=micro_batch,
                precision=choice.precision,
                device=device,
                threads=choice.threads,
                seconds=seconds,
            )
        )
    return jobs


# -- a process for each network -------------------------------------------------------------------


def profile_in_subprocess(job: ProfileJob) -> Profile | FailedProfile:
    """Profile a network in a new process; one that fails or dies gives the reason."""
    done = run_verb("profile-one", "--job", job.model_dump_json())
    if done.returncode == 0:
        return Profile.model_validate_json(done.stdout)
    if done.returncode < 0:
        return FailedProfile(job=job, reason=death_of(done.returncode))
    return FailedProfile(job=job, reason=last_line(done.stderr, otherwise="no message"))


def serve_profile(job: str, *, started: float) -> int:
    """Profile what the JSON `job` says in this process; print the profile, return an exit code."""
    from cnnbench.profiler.steps import profile

    try:
        measured = profile(ProfileJob.model_validate_json(job), started=started)
    except (ValueError, RuntimeError, MemoryError) as error:
        print(" ".join(f"{type(error).__name__}: {error}".split()), file=sys.stderr)
        return 1
    sys.stdout.write(measured.model_dump_json() + "\n")
    return 0
