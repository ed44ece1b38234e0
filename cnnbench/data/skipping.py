"""Which broken images may be left out, so that every model gets the same rest?"""

from collections.abc import Mapping

from cnnbench.data.dataset import SplitName
from cnnbench.data.errors import DataError, listed
from cnnbench.data.looks import Look
from cnnbench.data.scan import Scan

Scans = Mapping[SplitName, Scan]


def leave_out_broken(
    scans: Scans, looks: Mapping[str, Look], *, at_most: int
) -> tuple[dict[SplitName, Scan], str]:
    """Return the scans without the images whose look says they are broken, and a notice.

    With `at_most` 0 nothing is left out: training stops at the first broken image. Raises
    DataError when there are more than `at_most`.
    """
    broken = [name for name, look in looks.items() if look.verdict]
    if not at_most or not broken:
        return dict(scans), ""
    if len(broken) > at_most:
        raise DataError(
            f"{len(broken)} of {len(looks)} images are broken, skip_broken allows {at_most}: "
            f"{listed(broken, at_most=5)}; `cnnbench check` lists them with the reasons"
        )
    gone = frozenset(broken)
    kept = {split: _without(scan, gone) for split, scan in scans.items()}
    reasons = (f"{name} ({looks[name].verdict})" for name in sorted(broken))
    return kept, (
        f"{len(broken)} broken images are left out for every model (skip_broken={at_most}): "
        f"{listed(reasons, at_most=20)}"
    )


def _without(scan: Scan, gone: frozenset[str]) -> Scan:
    files = {
        label: tuple(name for name in names if name not in gone)
        for label, names in scan.files.items()
    }
    return Scan(files=files, passed_over=scan.passed_over)
