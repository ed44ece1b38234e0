"""Joules come from a counter, or are refused; never from a constant."""

import pytest

from cnnbench.engine.energy import NoCounter, energy_counter


def a_package(folder, microjoules, full=1000_000):
    path = folder / "intel-rapl:0"
    path.mkdir(parents=True, exist_ok=True)
    (path / "max_energy_range_uj").write_text(str(full))
    (path / "energy_uj").write_text(str(microjoules))


def test_the_packages_are_read_in_joules_and_through_an_overflow(tmp_path):
    a_package(tmp_path, 900_000)
    joules = energy_counter("cpu", powercap=tmp_path)
    assert joules() == 0
    a_package(tmp_path, 100_000)  # it wrapped past its range
    assert joules() == pytest.approx(0.2, abs=1e-5)
    a_package(tmp_path, 600_000)
    assert joules() == pytest.approx(0.7, abs=1e-5)


def test_a_machine_without_a_counter_is_refused_by_name(tmp_path):
    with pytest.raises(NoCounter, match="intel-rapl"):
        energy_counter("cpu", powercap=tmp_path / "none")


def test_a_device_that_nothing_counts_is_refused():
    with pytest.raises(NoCounter, match="mps"):
        energy_counter("mps")
