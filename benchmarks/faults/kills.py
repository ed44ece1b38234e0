"""Does a cell that was killed anywhere end with the same bits as if nothing had happened?"""

from __future__ import annotations

import json
import random
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from fork_server import WITNESS
from toy import CHECKPOINT_SECONDS, Toy

from cnnbench.base.digests import sha256_of
from cnnbench.base.files import FAILPOINT
from cnnbench.schema.budget import Currency
from cnnbench.schema.events import Evaluated, Started
from cnnbench.store import RunFolder, checkpoints

BUDGETS = {"images": "640img", "epochs": "12.5ep", "seconds": "0.8s"}
MEASURED = {
    "seconds",
    "images_per_second",
    "peak_memory_bytes",
    "machine",
    "canary_gflops",
    "joules",
}

# Every durable write of a cell, and the moments around it; the number says which such moment.
FAILPOINTS = (
    *(f"claim:{stage}:1" for stage in ("written", "replaced", "done")),
    *(f"events.jsonl:torn:{count}" for count in (1, 2, 3, 4, 5)),
    *(
        f"step-*.{kind}:{stage}:{count}"
        for kind in ("pt", "json")
        for stage in ("opened", "written", "synced", "replaced", "done")
        for count in (1, 3)
    ),
    *(f"step-*.pt:pruning:{count}" for count in (1, 3)),
    *(
        f"{name}:{stage}:1"
        for name in ("model.safetensors", "model.json", "predictions.npz", "result.json")
        for stage in ("opened", "written", "synced", "replaced", "done")
    ),
    "model.safetensors:forgetting:1",
    "checkpoint:forgetting:1",
)
REPORT_FAILPOINTS = (
    *(
        f"{name}:{stage}:1"
        for name in ("results.json", "report.html", "report.md")
        for stage in ("written", "synced", "replaced")
    ),
)


@dataclass(kw_only=True, slots=True)
class Tally:
    """What came of many trials."""

    trials: int = 0
    killed: int = 0
    wrong: list[str] = field(default_factory=list)
    lost_seconds: list[float] = field(default_factory=list)
    off_steps: list[float] = field(default_factory=list)

    def line(self) -> str:
        """Return the figures in one line."""
        lost = max(self.lost_seconds, default=0.0)
        off = max(self.off_steps, default=0.0)
        return (
            f"{self.trials} trials, {self.killed} killed in time, {len(self.wrong)} wrong; "
            f"most charged work lost {lost:.2f} s (a checkpoint every {CHECKPOINT_SECONDS} s); "
            f"budget in seconds off by at most {off:.2f} of the longest step"
        )


class Reference:
    """A cell that nothing happened to, and what it left."""

    def __init__(self, toy: Toy, currency: str) -> None:
        self.toy, self.currency = toy, currency
        self.planned = toy.plan(f"planned-{currency}", "--budget", BUDGETS[currency])
        self.whole = toy.copy(self.planned, f"whole-{currency}")
        self.witness = toy.home / f"witness-{currency}.json"
        start = time.monotonic()
        code = toy.serve(self.whole, **{WITNESS: str(self.witness)})
        self.seconds = time.monotonic() - start
        assert code == 0, log_of(self.whole)
        self.facts = facts_of(self.whole, self.witness)

    def differences(self, run: RunFolder, witness: Path) -> list[str]:
        """Return in which facts a run that was killed differs from this one."""
        facts = facts_of(run, witness)
        names = [name for name in self.facts if self._counts(name)]
        return [name for name in names if facts[name] != self.facts[name]]

    def _counts(self, name: str) -> bool:
        """A budget in seconds ends where the clock says: how many images that is may differ."""
        return self.currency != "seconds" or name in {"status", "twice"}


def facts_of(run: RunFolder, witness: Path | None = None) -> dict[str, Any]:
    """Return all that must be equal, bit by bit, however often a cell was killed."""
    cell = run.plan().cells[0]
    folder = run.cell(cell)
    row = folder.result().model_dump(mode="json")
    tests = [event for event in folder.events() if isinstance(event, Evaluated)]
    predictions = folder.predictions()
    assert predictions is not None
    kept = folder.kept()
    assert kept is not None
    return {
        "status": row["status"],
        "twice": len(tests) - len({event.spent.steps for event in tests}),
        "row": {key: value for key, value in row.items() if key not in MEASURED | {"budget"}},
        "used": row["budget"]["used"],
        "curve": [(e.spent.images, e.loss, e.top1, e.train_loss) for e in tests],
        "logits": predictions.logits.tobytes(),
        "kept": {name: value.numpy().tobytes() for name, value in folder.weights(kept).items()},
        "weights": json.loads(witness.read_text())["sha256"] if witness else None,
    }


def kill_at_random(reference: Reference, tally: Tally, rng: random.Random) -> None:
    """Kill a cell at a uniformly random moment, look at what it left, and let it go on."""
    toy = reference.toy
    run = toy.copy(reference.planned, "trial")
    cell = run.plan().cells[0]
    log = run.cell(cell).path / "log.txt"
    child = toy.server.start(toy.cell_words(run, cell), cwd=toy.home, log=log, env=toy.env)
    moment = rng.uniform(0, reference.seconds)
    time.sleep(moment)
    child.kill()
    tally.killed += child.wait() == -9
    _go_on(reference, run, tally, f"killed after {moment:.3f} s")


def kill_at_failpoint(reference: Reference, tally: Tally, point: str) -> None:
    """Let a cell die at a named point of a durable write, and let it go on."""
    run = reference.toy.copy(reference.planned, "trial")
    code = reference.toy.serve(run, **{FAILPOINT: point})
    tally.killed += code == -9
    if code != -9:
        tally.wrong.append(f"{point}: was never passed")
    _go_on(reference, run, tally, point)


def kill_report(reference: Reference, tally: Tally, point: str) -> None:
    """Let a report die while it is written; what is visible is whole, and it is drawn again."""
    toy = reference.toy
    run = toy.copy(reference.whole, "trial")
    words, log = ["report", str(run.path)], toy.home / "report.log"
    tally.trials += 1
    env = {**toy.env, FAILPOINT: point}
    tally.killed += toy.server.run(words, cwd=toy.home, log=log, env=env) == -9
    tally.wrong += [f"{point}: {fault}" for fault in torn_files(run)]
    if toy.server.run(words, cwd=toy.home, log=log, env=toy.env) != 0:
        tally.wrong.append(f"{point}: the report could not be drawn again")
    tally.wrong += [f"{point}: {path} is left" for path in run.path.rglob(".*.tmp")]


def _go_on(reference: Reference, run: RunFolder, tally: Tally, what: str) -> None:
    toy, folder = reference.toy, run.cell(run.plan().cells[0])
    what = f"{reference.currency}, {what}"
    tally.trials += 1
    tally.wrong += [f"{what}: {fault}" for fault in torn_files(run)]
    before = folder.events()
    done = folder.is_final()
    witness = toy.home / "witness-trial.json"
    witness.unlink(missing_ok=True)
    code = 0 if done else toy.serve(run, **{WITNESS: str(witness)})
    if code != 0:
        tally.wrong.append(f"{what}: went on to exit code {code}: {log_of(run)}")
        return
    if done:
        folder.forget_checkpoints()
        witness = reference.witness if reference.currency != "seconds" else witness
    if not done:
        _note_lost_work(before, folder.events(), tally)
        if reference.currency == "seconds":
            _note_charge(folder, witness, tally)
    if witness.exists():
        wrong = reference.differences(run, witness)
        tally.wrong += [f"{what}: {name} differs" for name in wrong]
    left = [*run.path.rglob(".*.tmp"), *run.path.rglob("checkpoint")]
    tally.wrong += [f"{what}: {path.name} is left" for path in left]


def _note_lost_work(before: list[Any], after: list[Any], tally: Tally) -> None:
    starts = [event for event in after if isinstance(event, Started)]
    if before and starts:
        lost = before[-1].spent.seconds - starts[-1].spent.seconds
        tally.lost_seconds.append(max(0.0, lost))


def _note_charge(folder: Any, witness: Path, tally: Tally) -> None:
    result = folder.result()
    assert result.budget.currency is Currency.SECONDS
    longest = json.loads(witness.read_text())["longest_step"]
    if longest:
        tally.off_steps.append(abs(result.budget.used - result.budget.limit) / longest)


def torn_files(run: RunFolder) -> list[str]:
    """Return the visible files of a run that are not whole."""
    faults = []
    for path in run.path.rglob("*.json"):
        if not path.name.startswith("."):
            try:
                json.loads(path.read_bytes())
            except ValueError:
                faults.append(f"{path.name} does not parse")
    for path in run.path.rglob("step-*.pt"):
        sidecar = checkpoints._sidecar_of(path)
        if path.with_suffix(".json").exists() and (
            sidecar is None or sha256_of(path) != sidecar["sha256"]
        ):
            faults.append(f"{path.name} does not fit its hash")
    for cell in run.plan().cells:
        kept = run.cell(cell).kept()
        if kept and sha256_of(run.cell(cell).path / "model.safetensors") != kept.sha256:
            faults.append("model.safetensors does not fit its hash")
    for path in run.path.rglob("predictions.npz"):
        try:
            with path.open("rb") as file, np.load(file) as stored:
                [stored[name] for name in stored.files]
        except (ValueError, zipfile.BadZipFile, EOFError):
            faults.append(f"{path.name} does not load")
    return faults


def log_of(run: RunFolder) -> str:
    """Return the last words of a run's first cell."""
    log = run.cell(run.plan().cells[0]).path / "log.txt"
    return log.read_text(errors="replace")[-300:] if log.exists() else ""
