"""Processors, quotas, and BLAS held to one thread while blocks are open."""

from __future__ import annotations

import multiprocessing
import os
import threading
import warnings

import pytest
from threadpoolctl import threadpool_info

from text2vec.engines.threads import available_cpus, resolve_threads, single_threaded_blas


def blas_threads():
    # numpy's own copy: others in this process (scipy's) may have come after ours was listed
    blas = [lib for lib in threadpool_info() if lib["user_api"] == "blas"]
    found = {lib["num_threads"] for lib in blas if "numpy" in lib["filepath"]}
    if not found:
        pytest.skip("numpy's BLAS is not one that threadpoolctl knows")
    return found


def test_cpus_without_a_quota_are_those_of_the_process(tmp_path):
    mask = getattr(os, "sched_getaffinity", None)
    assert available_cpus(tmp_path) == (len(mask(0)) if mask else os.cpu_count())


@pytest.mark.parametrize(("text", "cpus"), [("100000 100000", 1), ("50000 100000", 1)])
def test_cpus_respect_the_second_cgroup_version(tmp_path, text, cpus):
    (tmp_path / "cpu.max").write_text(text)
    assert available_cpus(tmp_path) == cpus


def test_cpus_respect_the_first_cgroup_version(tmp_path):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("100000\n")
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert available_cpus(tmp_path) == 1


@pytest.mark.parametrize("text", ["max 100000", "", "nonsense", "100000 0", "-1 100000"])
def test_cpus_without_a_usable_quota_are_all(tmp_path, text):
    (tmp_path / "cpu.max").write_text(text)
    assert available_cpus(tmp_path) == available_cpus(tmp_path / "nothing")


@pytest.mark.parametrize("number", [0, -1, 1025, True])
def test_threads_out_of_range_are_refused(number):
    with pytest.raises(ValueError, match="expected 1 to 1024"):
        resolve_threads(number)


def test_blas_is_single_until_the_last_block_ends():
    before = blas_threads()
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with single_threaded_blas():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert entered.wait(10)
    with single_threaded_blas():
        assert blas_threads() == {1}
    assert blas_threads() == {1}
    leave.set()
    thread.join()
    assert blas_threads() == before


def test_blas_is_restored_after_an_error():
    before = blas_threads()
    with pytest.raises(RuntimeError, match="stop"), single_threaded_blas():
        raise RuntimeError("stop")
    assert blas_threads() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_blas_is_limited_in_a_forked_child_too():
    with single_threaded_blas():
        pass
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 on forks with threads
        child = context.Process(target=lambda: queue.put(_threads_inside()))
        child.start()
    assert queue.get(timeout=20) == {1}
    child.join()


def _threads_inside():
    with single_threaded_blas():
        return blas_threads()
