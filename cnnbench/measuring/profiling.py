"""What is profiled for a command, and how long would the run that it describes take?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import zoo
from cnnbench.engine.hardware import choose_device, detect, machine_line
from cnnbench.measuring.apart import profile_apart
from cnnbench.measuring.calibration import Choice, settle
from cnnbench.measuring.estimate import CellEstimate, estimate
from cnnbench.measuring.profiles import NoProfile, Profile, ProfileJob
from cnnbench.plan import PlanError, Wishes
from cnnbench.schema.cell import Plan
from cnnbench.schema.recipes import COMMON_BATCH_SIZE

CLASSES_WITHOUT_DATASET = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Profiled:
    """The outcome of `cnnbench profile`; `plan` and `estimates` only where a run was described."""

    machine: str
    profiles: tuple[Profile, ...]
    failed: tuple[NoProfile, ...]
    plan: Plan | None
    estimates: tuple[CellEstimate, ...]


def profile(
    wishes: Wishes,
    *,
    device: str = "auto",
    precision: str = "auto",
    seconds: float = 5.0,
    plan: Plan | None = None,
    on_start: Callable[[str], None] = lambda model: None,
) -> Profiled:
    """Profile every model in a process of its own; estimate `plan`, made of `wishes`, if given.

    Raises:
        PlanError: if a number or a word is wrong.
        UnknownModel: if a name is.
    """
    if not seconds > 0:
        raise PlanError(f"--seconds must be more than zero, saw {seconds:g}")
    jobs = _jobs_of(plan, seconds) if plan else _jobs(wishes, device, precision, seconds)
    found = []
    for job in jobs:
        on_start(job.model)
        found.append(profile_apart(job))
    profiles = tuple(each for each in found if isinstance(each, Profile))
    by_model = {each.job.model: each for each in profiles}
    return Profiled(
        machine=machine_line(detect(), jobs[0].device),
        profiles=profiles,
        failed=tuple(each for each in found if isinstance(each, NoProfile)),
        plan=plan,
        estimates=tuple(estimate(plan, by_model)) if plan else (),
    )


def _jobs_of(plan: Plan, seconds: float) -> list[ProfileJob]:
    first = {cell.model: cell for cell in reversed(plan.cells)}
    threads = plan.machine.get("threads")
    return [
        ProfileJob(
            model=model,
            num_classes=len(plan.dataset.classes),
            batch_size=first[model].recipe.batch_size,
            image_size=first[model].image_size,
            precision=first[model].precision,
            device=first[model].device,
            threads=int(threads) if threads else None,
            seconds=seconds,
        )
        for model in dict.fromkeys(cell.model for cell in plan.cells)
    ]


def _jobs(wishes: Wishes, device: str, precision: str, seconds: float) -> list[ProfileJob]:
    models = list(dict.fromkeys(zoo.resolve(name) for name in wishes.models))
    if not models:
        raise PlanError("no model was named; `cnnbench models` lists all")
    batch_size = next(iter(wishes.batch_sizes), None)
    for flag, value in (("--batch-size", batch_size), ("--image-size", wishes.image_size)):
        if value is not None and value < 1:
            raise PlanError(f"{flag} must be at least 1, saw {value}")
    chosen, choice = _settings(device, precision)
    return [
        ProfileJob(
            model=model,
            num_classes=CLASSES_WITHOUT_DATASET,
            batch_size=batch_size or COMMON_BATCH_SIZE,
            image_size=wishes.image_size or zoo.card(model).image_size,
            precision=choice.precision,
            device=chosen,
            threads=choice.threads,
            seconds=seconds,
        )
        for model in models
    ]


def _settings(device: str, precision: str) -> tuple[str, Choice]:
    hardware = detect()
    try:
        chosen = choose_device(device, hardware)
        return chosen, settle(precision, device=chosen, hardware=hardware)
    except ValueError as error:
        raise PlanError(str(error)) from None
