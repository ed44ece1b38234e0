"""One tiny real training, whose network is kept."""

import pytest
from kept_networks import train_and_keep

from cnnbench.inference.network import load_network


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    return train_and_keep(tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="session")
def folder(run):
    return run.cell(run.plan().cells[0])


@pytest.fixture
def network(folder):
    return load_network(folder)


@pytest.fixture(scope="session")
def photos(run):
    return run.path.parent / "photos"
