"""Which folders among photos were put there by a program, and hold nothing to train on?"""

from pathlib import Path

__all__: list[str] = []

_BY_PROGRAMS = frozenset(
    (
        # network storage: Synology, QNAP, NetApp, Buffalo; thumbnails, bins and snapshots
        *("@eadir", "@tmp", "@sharebin", "@appstore", "@synoeastream", "@synoresource"),
        *("#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@transcode", "@__thumb"),
        *("~snapshot", "nas_prog", "network recycle bin 1", "network recycle bin"),
        # Windows and Android
        *("$recycle.bin", "$recycle", "system volume information"),
        *("$extend", "$winreagent", "found.000", "msocache", "config.msi", "lost.dir", "wpsystem"),
        # archives from a Mac, and what it leaves on shared disks
        *("__macosx", "network trash folder", "temporary items", "thevolumesettingsfolder"),
        # Linux and the tools of programmers
        *("lost+found", "__pycache__", "node_modules", "site-packages", "venv", "_gsdata_"),
        # photo programs, which keep previews beside the photos
        *("captureone", "ipod photo cache", "zbthumbnail.info"),
        # trackers of trainings, which keep pictures
        *("mlruns", "wandb", "lightning_logs"),
    )
)
"""Names in lower case. Names that begin with a dot are hidden anyway, `._photo.jpg` too.

No name that a class could have: old Windows called its bin `Recycled`, and so is some waste."""

_START_BYTES = 4096  # `version` and `cnnbench` are the first two keys of a plan


def is_left_by_program(name: str) -> bool:
    """Return whether a folder of this name is some program's own and never a class.

    >>> is_left_by_program("@eaDir"), is_left_by_program("$RECYCLE.BIN"), is_left_by_program("cat")
    (True, True, False)
    """
    return name.casefold() in _BY_PROGRAMS or name.endswith((".lrdata", ".photoslibrary"))


def is_run_folder(folder: Path) -> bool:
    """Return whether a folder holds a run of cnnbench, known by its `plan.json`."""
    try:
        with (folder / "plan.json").open("rb") as file:
            return b'"cnnbench"' in file.read(_START_BYTES)
    except OSError:  # no such file, a folder of that name, or not ours to read
        return False
