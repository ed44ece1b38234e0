"""How is a network profiled in a process of its own, so that memory and failures are its own?"""

from __future__ import annotations

import os
import subprocess
import sys

from cnnbench.measuring.profiles import NoProfile, Profile, ProfileJob

_QUIET = {"KINETO_LOG_LEVEL": "99", "KINETO_USE_DAEMON": "0"}  # torch.profiler greets on stderr


def profile_apart(job: ProfileJob) -> Profile | NoProfile:
    """Profile a network in a new process; one that fails or dies gives the reason."""
    words = ["profile-one", "--job", job.model_dump_json()]
    done = subprocess.run(
        [sys.executable, "-m", "cnnbench", *words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**_QUIET, **os.environ},
    )
    if done.returncode == 0:
        return Profile.model_validate_json(done.stdout)
    if done.returncode < 0:
        hint = " (possibly out of memory)" if done.returncode == -9 else ""
        return NoProfile(job=job, reason=f"killed by signal {-done.returncode}{hint}")
    lines = done.stderr.strip().splitlines() or ["no message"]
    return NoProfile(job=job, reason=lines[-1][:300])


def serve_profile(job: str, *, started: float) -> int:
    """Profile what the JSON `job` says in this process; print the profile, return an exit code."""
    from cnnbench.measuring.steps import profile

    try:
        found = profile(ProfileJob.model_validate_json(job), started=started)
    except (ValueError, RuntimeError, MemoryError) as error:
        print(" ".join(f"{type(error).__name__}: {error}".split()), file=sys.stderr)
        return 1
    sys.stdout.write(found.model_dump_json() + "\n")
    return 0
