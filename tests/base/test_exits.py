"""Every error of ours stands for one documented exit code."""

import pytest

from cnnbench.base.exits import Exit, exit_of
from cnnbench.base.files import BusyError, DamagedError, StoreError
from cnnbench.data import DataError, FetchError
from cnnbench.launch.signals import RunBlocked, Stopped
from cnnbench.planning.request import PlanError
from cnnbench.report.analysis.two_runs import CannotCompare
from zoo import UnknownModel


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PlanError("no model"), 2),
        (CannotCompare("other data"), 2),
        (UnknownModel("alexnett", ["alexnet"]), 2),
        (DataError("no images"), 3),
        (StoreError("full"), 4),
        (DamagedError("cut"), 4),
        (FetchError("gone"), 4),
        (PermissionError("no"), 4),
        (BusyError("process 1"), 5),
        (RunBlocked("the data changed", Exit.DATA), 3),
        (Stopped(15), 143),
        (ValueError("of somebody else"), 70),
    ],
)
def test_an_error_has_its_documented_code(error, code):
    assert exit_of(error) == code
