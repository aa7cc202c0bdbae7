"""Facts about this machine and the packages on it, for ``text2vec info``.

Only what the operating system says of itself; nothing is measured.
"""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

__all__ = ["read_machine", "read_versions"]

_PACKAGES = (
    "numpy",
    "tokenizers",
    "safetensors",
    "huggingface-hub",
    "tqdm",
    "torch",
    "transformers",
    "pyarrow",
    "jieba",
    "sentencepiece",
)
_FLAGS = (
    "avx2",
    "fma",
    "avx_vnni",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
    "asimd",
    "asimddp",
    "i8mm",
    "bf16",
    "sve",
)
"""What decides how fast texts can be encoded, as /proc/cpuinfo spells it on x86 and Arm."""

_CPUINFO = Path("/proc/cpuinfo")


def read_machine() -> dict[str, object]:
    """Return the processor's name, its cores and its flags of interest.

    Returns
    -------
    dict[str, object]
        ``system``, ``cpu``, ``cores``, ``usable_cores`` (that this process may run on) and
        ``flags`` (empty where the system does not tell).

    Examples
    --------
    >>> sorted(read_machine())
    ['cores', 'cpu', 'flags', 'system', 'usable_cores']
    """
    facts = _read_cpuinfo()
    flags = set((facts.get("flags") or facts.get("Features") or "").split())
    cores = os.cpu_count() or 1
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "system": platform.platform(),
        "cpu": facts.get("model name") or _ask_system(),
        "cores": cores,
        "usable_cores": len(affinity(0)) if affinity else cores,
        "flags": [flag for flag in _FLAGS if flag in flags],
    }


def read_versions() -> dict[str, str | None]:
    """Return the versions of Python and of the packages that matter; None for one not installed.

    Returns
    -------
    dict[str, str | None]
        By package name.

    Examples
    --------
    >>> read_versions()["numpy"] is None
    False
    """
    versions: dict[str, str | None] = {"python": platform.python_version()}
    return versions | {name: _version(name) for name in _PACKAGES}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _read_cpuinfo() -> dict[str, str]:
    try:
        first = _CPUINFO.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _ask_system() -> str:
    if platform.system() == "Darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        try:
            return subprocess.run(
                command, capture_output=True, text=True, check=True
            ).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return platform.machine()
    return platform.processor() or platform.machine()
