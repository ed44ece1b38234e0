"""A folder has one owner at a time, on file systems without locks and across machines."""

import contextlib
import errno
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from cnnbench.base.files import BusyError, StoreError
from cnnbench.store import claims
from cnnbench.store.claims import claimed, deaths_of, owner_of
from cnnbench.store.owners import Owner, this_process

HOLD = (
    "import sys; from pathlib import Path; from cnnbench.store.claims import claimed\n"
    "with claimed(Path(sys.argv[1])):\n    print('held', flush=True); sys.stdin.readline()"
)

# Takes the folder again and again; whoever is inside finds nobody else alive in there.
CONTEND = """
import os, random, sys, time
from pathlib import Path
from cnnbench.base.files import BusyError
from cnnbench.store import claims
folder, seed, links = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "links"
if not links:
    def link(*_): raise PermissionError(1, "no links here")
    os.link = link
rng, inside = random.Random(seed), folder / "inside"
while not (folder / "over").exists():
    try:
        with claims.claimed(folder, wait_seconds=0.0):
            try:
                other = int(inside.read_text() or 0) if inside.exists() else 0
                state = Path(f"/proc/{other}/stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z":
                    (folder / "two at once").write_text(f"{other} and {os.getpid()}")
            except FileNotFoundError:
                pass  # it was killed
            inside.write_text(str(os.getpid()))
            time.sleep(rng.uniform(0, 0.01))
            inside.write_text("")
            with (folder / "turns").open("a") as file:
                file.write(".")
    except BusyError:
        time.sleep(rng.uniform(0, 0.01))
"""


@contextlib.contextmanager
def another_process(folder):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdout.readline() == b"held\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def claim_of_another_machine(folder, *, number=1, age=0.0):
    """Leave a claim as another machine would, touched `age` seconds ago."""
    path = folder / f".claim-{number:06d}"
    owner = Owner(host="elsewhere", pid=1, since="then", machine="elsewhere at its boot")
    path.write_text(owner.model_dump_json())
    os.utime(path, (time.time() - age,) * 2)


def test_a_second_process_is_refused_and_told_who_holds_the_folder(tmp_path):
    with another_process(tmp_path) as other:
        assert owner_of(tmp_path).pid == other.pid
        with pytest.raises(BusyError, match=f"process {other.pid} on "), claimed(tmp_path):
            pass


def test_a_folder_whose_owner_was_killed_is_free_at_once(tmp_path):
    with another_process(tmp_path) as other:
        other.kill()
        other.wait()
        assert owner_of(tmp_path) is None
        with claimed(tmp_path):
            assert owner_of(tmp_path).pid == os.getpid()


def test_an_owner_that_is_stopped_for_long_keeps_its_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(claims.STALE_VARIABLE, "0.1")
    with another_process(tmp_path) as other:
        other.send_signal(signal.SIGSTOP)
        time.sleep(0.2)
        with pytest.raises(BusyError), claimed(tmp_path):
            pass


def test_nobody_holds_a_folder_that_was_given_back(tmp_path):
    with claimed(tmp_path):
        pass
    assert owner_of(tmp_path) is None
    with claimed(tmp_path):
        assert owner_of(tmp_path).pid == os.getpid()


def test_a_process_that_only_has_the_number_of_a_dead_owner_is_not_taken_for_it(tmp_path):
    me = this_process().model_copy(update={"started": "long before"})
    (tmp_path / ".claim-000001").write_text(me.model_dump_json())
    assert owner_of(tmp_path) is None


def test_an_owner_elsewhere_that_shows_itself_keeps_its_folder(tmp_path):
    claim_of_another_machine(tmp_path, age=claims.STALE_SECONDS / 2)
    assert owner_of(tmp_path).host == "elsewhere"
    with pytest.raises(BusyError, match="process 1 on elsewhere since then"), claimed(tmp_path):
        pass


def test_an_owner_elsewhere_that_is_silent_for_long_loses_it(tmp_path):
    claim_of_another_machine(tmp_path, age=claims.STALE_SECONDS * 2)
    with claimed(tmp_path):
        assert owner_of(tmp_path).pid == os.getpid()


def test_an_owner_shows_itself_as_long_as_it_holds_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(claims.STALE_VARIABLE, "0.5")
    with claimed(tmp_path):
        (path,) = tmp_path.glob(claims.CLAIMS)
        os.utime(path, (0, 0))
        time.sleep(0.2)
        assert time.time() - path.stat().st_mtime < 10


def test_whoever_slept_while_another_took_over_may_not_write(tmp_path):
    with claimed(tmp_path) as require_held:
        require_held()
        claim_of_another_machine(tmp_path, number=2)
        with pytest.raises(StoreError, match="taken over by process 1 on elsewhere"):
            require_held()
    assert owner_of(tmp_path).host == "elsewhere"  # and leaves the other's claim alone


def test_deaths_are_counted_until_an_owner_gives_the_folder_back(tmp_path):
    for deaths in (1, 2):
        with another_process(tmp_path) as other:
            other.kill()
            other.wait()
        assert deaths_of(tmp_path) == deaths
    with claimed(tmp_path):
        assert deaths_of(tmp_path) == 2
    assert deaths_of(tmp_path) == 0


def test_what_a_killed_writer_left_is_swept_by_the_next_owner(tmp_path):
    (tmp_path / ".plan.json.abc.tmp").write_text("half")
    with claimed(tmp_path):
        assert not list(tmp_path.glob("*.tmp"))


def test_claims_do_not_pile_up(tmp_path):
    for _ in range(5):
        with claimed(tmp_path):
            pass
    assert [path.name for path in tmp_path.iterdir()] == [".claim-000005-released"]


def test_a_folder_that_can_only_be_read_is_looked_at(tmp_path):
    claim_of_another_machine(tmp_path)
    tmp_path.chmod(0o500)
    try:
        assert owner_of(tmp_path).host == "elsewhere"
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("refusal", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_file_system_without_hard_links_serves_too(tmp_path, monkeypatch, refusal):
    def link(*_):
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr(os, "link", link)
    with claimed(tmp_path), pytest.raises(BusyError), claimed(tmp_path):
        pass
    assert owner_of(tmp_path) is None


@pytest.mark.slow
@pytest.mark.parametrize("links", ["links", "no links"])
def test_of_many_processes_that_are_killed_at_random_one_is_inside_at_a_time(tmp_path, links):
    rng = random.Random(0)

    def start():
        words = [sys.executable, "-c", CONTEND, str(tmp_path), str(rng.random())[2:8], links]
        return subprocess.Popen(words, env={**os.environ, claims.STALE_VARIABLE: "1"})

    processes = [start() for _ in range(6)]
    turns = tmp_path / "turns"
    for n_kills in range(30):
        while not turns.exists() or turns.stat().st_size < 3 * n_kills:
            time.sleep(0.01)  # the suite's own limit ends a failure
        time.sleep(rng.uniform(0, 0.1))
        victim = rng.randrange(len(processes))
        processes[victim].kill()
        processes[victim].wait()
        processes[victim] = start()
    (tmp_path / "over").touch()
    assert [process.wait(60) for process in processes] == [0] * 6
    assert not (tmp_path / "two at once").exists()
