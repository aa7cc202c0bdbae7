"""How many processors this process may use, and BLAS held to one thread while ours run.

Limits that a container or a scheduler sets are respected: a pool of more threads than processors
is slower than none.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from threadpoolctl import ThreadpoolController

__all__ = ["available_cpus", "resolve_threads", "single_threaded_blas"]

_CGROUP = Path("/sys/fs/cgroup")


def available_cpus(cgroup: Path = _CGROUP) -> int:
    """Return how many processors this process may keep busy, at least 1.

    Parameters
    ----------
    cgroup
        Where the control group's files are mounted; missing files mean no quota.

    Returns
    -------
    int
        The smaller of the affinity mask and the control group's quota, rounded up.

    Notes
    -----
    Source: the kernel's documentation, admin-guide/cgroup-v2 (``cpu.max``) and
    scheduler/sched-bwc (``cpu.cfs_quota_us``).

    Examples
    --------
    >>> available_cpus() >= 1
    True
    """
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    cpus = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    quota = _quota(cgroup)
    return max(1, cpus if quota is None else min(cpus, quota))


def _quota(cgroup: Path) -> int | None:
    try:
        if (cgroup / "cpu.max").is_file():
            quota, period = (cgroup / "cpu.max").read_text().split()[:2]
        else:
            quota = (cgroup / "cpu/cpu.cfs_quota_us").read_text()
            period = (cgroup / "cpu/cpu.cfs_period_us").read_text()
        microseconds = int(quota)
        return None if microseconds <= 0 else -(-microseconds // int(period))
    except (OSError, ValueError, ZeroDivisionError):  # "max", no such file, no cgroup at all
        return None


def resolve_threads(num_threads: int | None) -> int:
    """Return the number of threads to use: the caller's, or all that this process may use.

    Parameters
    ----------
    num_threads
        None for all.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    ValueError
        If ``num_threads`` is below 1 or above 1,024.

    Examples
    --------
    >>> resolve_threads(3)
    3
    """
    if num_threads is None:
        return available_cpus()
    if isinstance(num_threads, bool) or not 1 <= num_threads <= 1024:
        raise ValueError(f"num_threads is {num_threads!r}; expected 1 to 1024, or None for all")
    return num_threads


class _BlasLimit:
    """The process's BLAS limit, and how many blocks hold it.

    OpenBLAS obeys one controlling thread only (threadpoolctl's rule): the one that limited it
    first. So one thread of ours does all the limiting, whichever thread encodes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: ThreadPoolExecutor | None = None
        self._limiter: Any = None
        self._users = 0

    def hold(self) -> None:
        with self._lock:
            if self._users == 0:
                if self._thread is None:
                    self._thread = ThreadPoolExecutor(1, "text2vec-blas")
                self._limiter = self._thread.submit(_limit_blas).result()
            self._users += 1

    def release(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._thread is not None:
                self._thread.submit(self._limiter.restore_original_limits).result()


def _limit_blas() -> Any:
    return _controller().limit(limits=1, user_api="blas")


@functools.cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


_blas_limit = _BlasLimit()


def _start_anew() -> None:
    global _blas_limit  # a forked child has no threads but the one that forked
    _blas_limit = _BlasLimit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Hold BLAS to one thread inside the block; blocks may overlap in several threads.

    Yields
    ------
    None
        The limit is the process's; it ends with the last block that is open. Where the caller's
        own thread limited BLAS through threadpoolctl before, the caller's limit stays.
    """
    limit = _blas_limit
    limit.hold()
    try:
        yield
    finally:
        limit.release()
