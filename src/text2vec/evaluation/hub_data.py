"""Data sets of the Hugging Face Hub: from a task's row to files in the Hub's own cache."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from text2vec.errors import Text2VecError
from text2vec.evaluation.tasks import Task
from text2vec.models.hub import hub_endpoint

__all__ = ["fetch_task_files"]

_SUFFIXES = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")


def fetch_task_files(task: Task) -> list[Path]:
    """Return the local copies of a task's files, downloading what is missing.

    Parameters
    ----------
    task
        A task of pairs whose ``hub`` names a data set.

    Returns
    -------
    list[Path]
        One file; ``HF_ENDPOINT``, ``HF_TOKEN`` and ``HF_HUB_OFFLINE`` hold.

    Raises
    ------
    ValueError
        If the task names no data set on the Hub.
    Text2VecError
        If the data set cannot be had, or does not hold exactly one file of that split.
    """
    if not task.hub:
        raise ValueError(f"task {task.name!r} is not on the Hub; give a data folder: --data DIR")
    from huggingface_hub import snapshot_download

    revision = task.revision or None
    patterns = [f"*{suffix}" for suffix in _SUFFIXES]
    try:
        snapshot = Path(
            snapshot_download(
                task.hub,
                repo_type="dataset",
                revision=revision,
                allow_patterns=patterns,
                endpoint=hub_endpoint(),
            )
        )
    except Exception as exc:  # several HTTP libraries, JSON and the disk raise through it
        detail = str(exc).strip().partition("\n")[0]
        raise Text2VecError(
            f"data set {task.hub} (revision {revision}) cannot be had: {detail}; check the "
            "connection and HF_ENDPOINT, or give a data folder: --data DIR"
        ) from exc
    names = sorted(p.relative_to(snapshot).as_posix() for p in snapshot.rglob("*") if p.is_file())
    found = [name for name in names if _belongs(name, task)]
    if len(found) != 1:
        wanted = f"split {task.hub_split!r}" + (f" of {task.hub_config!r}" * bool(task.hub_config))
        raise Text2VecError(
            f"data set {task.hub}: expected one file of {wanted}, found {found or names}"
        )
    return [snapshot / found[0]]


def _belongs(name: str, task: Task) -> bool:
    """Tell whether a file is the task's split: ``data/test-00000-of-00001.parquet``."""
    path = PurePosixPath(name)
    stem = path.name.partition(".")[0]
    words = {*path.parts[:-1], *stem.replace("_", "-").split("-")}
    config_is_there = not task.hub_config or task.hub_config in words
    return name.endswith(_SUFFIXES) and task.hub_split in words and config_is_there
