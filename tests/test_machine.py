from __future__ import annotations

import os
import platform

import pytest

from text2vec import machine
from text2vec.machine import read_machine, read_versions

X86 = (
    "processor\t: 0\nmodel name\t: Some CPU @ 2.0: GHz\nflags\t\t: fpu avx2 amx_int8 fma avx512f\n"
)
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp i8mm\n"


@pytest.mark.parametrize(
    ("text", "cpu", "flags"),
    [
        (
            f"{X86}\nprocessor\t: 1\nmodel name\t: Other\n",
            "Some CPU @ 2.0: GHz",
            ["avx2", "fma", "avx512f", "amx_int8"],
        ),
        (ARM, None, ["asimd", "asimddp", "i8mm"]),
    ],
)
def test_read_machine_reads_cpuinfo(tmp_path, monkeypatch, text, cpu, flags):
    path = tmp_path / "cpuinfo"
    path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(machine, "_CPUINFO", path)
    facts = read_machine()
    assert facts["flags"] == flags
    assert facts["cpu"] == cpu if cpu else facts["cpu"]


def test_read_machine_without_cpuinfo_still_names_the_processor(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "none")
    facts = read_machine()
    assert facts["flags"] == []
    assert facts["cpu"]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_read_machine_usable_cores_obey_affinity():
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert read_machine()["usable_cores"] == 1
    finally:
        os.sched_setaffinity(0, before)


def test_read_versions_missing_package_is_none(monkeypatch):
    monkeypatch.setattr(machine, "_PACKAGES", ("numpy", "no-such-package"))
    versions = read_versions()
    assert versions["python"] == platform.python_version()
    assert versions["numpy"]
    assert versions["no-such-package"] is None
