"""Models of the Hugging Face hub: from a name to the folder of a snapshot in the cache.

huggingface_hub does the work; here stands which files a model needs, and what each way of failing
means to a user. What the files say is no matter of this module.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from text2vec.errors import ModelNotFoundError

__all__ = ["ModelSource", "fetch_snapshot", "hub_endpoint"]

_FALLBACK_OWNER = "sentence-transformers"  # where that library looks for a name without owner
_TOKENIZERS = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "sentencepiece.bpe.model",
    "spiece.model",
    "tokenizer.model",
    "tokenizer_config.json",  # all that a tokenizer of bytes has
)
_SETTINGS = (
    "config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "sentence_*_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
    "eval_results.txt",  # the mark of a folder that text2vec 1.x saved
    *_TOKENIZERS,
)
_SAFETENSORS = ("model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors")
_BIN = ("pytorch_model.bin",)
_CONFIGURED_MODULES = ("Transformer", "Pooling", "Dense")
_WEIGHTED_MODULES = ("Transformer", "Dense")
_MALFORMED = (OSError, ValueError, RecursionError, TypeError, KeyError, AttributeError)
_DISK_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
# By name, since not every version of huggingface_hub has all of them; the first that fits.
_KINDS = {
    "GatedRepoError": "gated",
    "RepositoryNotFoundError": "absent",
    "RevisionNotFoundError": "revision",
    "HFValidationError": "name",
    "IncompleteSnapshotError": "incomplete",
    "LocalEntryNotFoundError": "uncached",
}
_MESSAGES = {
    "gated": "access to {name} is restricted; ask at {endpoint}/{name}, then set HF_TOKEN or token",
    "absent": "no folder and no model {name} at {endpoint}; expected a folder or owner/name; a "
    "private model needs HF_TOKEN or a token that may read it",
    "revision": "{name} has no revision {revision!r} at {endpoint}; expected branch, tag, commit",
    "name": "{name!r} is no folder and no valid model name; expected a folder or owner/name",
    "incomplete": "the copy of {name} in {cache} is incomplete: {detail}; load it once online",
    "offline": "{name} (revision {revision!r}) is not in {cache}, and we are offline; load it once "
    "without HF_HUB_OFFLINE and local_files_only",
    "uncached": "{name} (revision {revision!r}) is not in {cache}, and {endpoint} did not give it: "
    "{detail}; check the connection and HF_ENDPOINT",
    "full": "no space left in {cache} for {name}; free some, or choose another cache folder",
    "cache": "{name} cannot be kept in {cache}: {detail}; choose another cache folder",
    "hub": "{name} cannot be got from {endpoint}: {detail}; check the connection and HF_ENDPOINT",
}


_Names: TypeAlias = Sequence[str]


@dataclass(frozen=True)
class ModelSource:
    """Where a model comes from.

    Attributes
    ----------
    name
        A folder, or a name on the hub: ``owner/name``, or ``name`` alone.
    revision
        Branch, tag or commit on the hub; None for ``main``. A local folder has no revisions.
    cache_folder
        Where downloads are kept; None for huggingface_hub's own cache.
    local_files_only
        Whether to look in the cache alone, as ``HF_HUB_OFFLINE=1`` does.
    token
        Access token for gated and private models; None for ``HF_TOKEN`` or the stored login.
    """

    name: str
    revision: str | None = None
    cache_folder: Path | None = None
    local_files_only: bool = False
    token: str | None = None


def fetch_snapshot(source: ModelSource) -> Path:
    """Return the folder of a hub model's snapshot, downloading what is missing.

    Parameters
    ----------
    source
        A name without owner, if it is no model, is looked up as ``sentence-transformers/name``.

    Returns
    -------
    Path
        The snapshot in the cache: settings, tokenizer, and weights as safetensors, or as
        ``pytorch_model.bin`` where there are none. A hub that cannot be reached is no error if
        the snapshot is cached. ``HF_ENDPOINT``, ``HF_TOKEN`` and ``HF_HUB_OFFLINE`` hold.

    Raises
    ------
    ModelNotFoundError
        If there is no such model or revision, access is refused, the hub cannot be reached, the
        disk is full, or files are missing; the message says which, and what to do.

    Examples
    --------
    >>> fetch_snapshot(ModelSource("not//valid", local_files_only=True))
    Traceback (most recent call last):
    ...
    text2vec.errors.ModelNotFoundError: 'not//valid' is no folder and no valid model name; ...
    """
    try:
        return _fetch(source, source.name)
    except ModelNotFoundError as exc:
        if "/" in source.name or _kind(exc.__cause__) not in {"absent", "uncached"}:
            raise
    try:
        return _fetch(source, f"{_FALLBACK_OWNER}/{source.name}")
    except ModelNotFoundError as exc:
        raise ModelNotFoundError(f"{source.name}: {exc}") from exc.__cause__


def hub_endpoint() -> str:
    """Return the address of the hub: ``HF_ENDPOINT``, else huggingface.co.

    Returns
    -------
    str
        Without a slash at its end.

    Raises
    ------
    ModelNotFoundError
        If ``HF_ENDPOINT`` is no address.
    """
    from huggingface_hub import constants

    # Read now: huggingface_hub read it when it was imported, perhaps long before it was set.
    endpoint = (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
    if not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", endpoint):
        raise ModelNotFoundError(
            f"HF_ENDPOINT is {endpoint!r}; expected a URL such as https://huggingface.co"
        )
    return endpoint


def _fetch(source: ModelSource, name: str) -> Path:
    local = source.local_files_only or _is_offline()
    folder = _cached_commit(source, name) or _download(source, name, _SETTINGS, local=local)
    if not local and _missing_files(folder):
        commit = replace(source, revision=folder.name)
        # Weights come last, so that a snapshot that has them has the small files too.
        rooms = [room for _, room in _modules(folder) if room]
        for files in (_SETTINGS, _SAFETENSORS, _BIN):
            if rooms:
                _download(commit, name, files, rooms, local=False)
            rooms = _without_weights(folder)
    if missing := _missing_files(folder):
        raise ModelNotFoundError(
            f"{name} has no {', '.join(missing)} in {folder}; expected a model of transformers or "
            "sentence-transformers; if the hub has more of it, load it once online"
        )
    return folder


def _cached_commit(source: ModelSource, name: str) -> Path | None:
    if not re.fullmatch("[0-9a-f]{40}", source.revision or ""):
        return None
    try:  # a commit never changes: where it is complete there is nothing to ask the hub
        folder = _download(source, name, _SETTINGS, local=True)
    except ModelNotFoundError:
        return None
    return None if _missing_files(folder) else folder


def _download(
    source: ModelSource, name: str, files: _Names, rooms: _Names = ("",), *, local: bool
) -> Path:
    import huggingface_hub

    endpoint = hub_endpoint()
    patterns = [room + file for room in rooms for file in files]
    try:
        folder = huggingface_hub.snapshot_download(
            name,
            revision=source.revision,
            cache_dir=source.cache_folder,
            local_files_only=local,
            token=source.token,
            allow_patterns=[*_SETTINGS, *patterns],  # all but none, which would be warned of
            endpoint=endpoint,
            library_name="text2vec",
            library_version=_version(),
            tqdm_class=_silent_bar() if files is _SETTINGS else None,
        )
    except Exception as exc:  # three HTTP libraries, Xet, JSON and the disk raise through it
        raise ModelNotFoundError(_explain(exc, source, name, endpoint, local=local)) from exc
    return Path(folder)


def _explain(exc: Exception, source: ModelSource, name: str, endpoint: str, *, local: bool) -> str:
    from huggingface_hub import constants

    kind = _kind(exc)
    cause = exc.__cause__ if kind == "uncached" and exc.__cause__ else exc
    status = getattr(getattr(cause, "response", None), "status_code", None)
    first_line = str(cause).strip().partition("\n")[0]
    return _MESSAGES["offline" if local and kind == "uncached" else kind].format(
        name=name,
        endpoint=endpoint,
        revision=source.revision or "main",
        cache=source.cache_folder or constants.HF_HUB_CACHE,
        detail=f"it answered {status}" if status else f"{type(cause).__name__}: {first_line}",
    )


def _kind(exc: BaseException | None) -> str:
    names = {base.__name__ for base in type(exc).__mro__}
    for name, kind in _KINDS.items():
        if name in names:
            return kind
    number = getattr(exc, "errno", None)
    if number in _DISK_FULL or "No space left" in str(exc):  # Xet tells it in words alone
        return "full"
    if getattr(getattr(exc, "response", None), "status_code", None) == 401:
        return "absent"
    return "cache" if isinstance(exc, OSError) and number is not None else "hub"


def _is_offline() -> bool:
    from huggingface_hub import constants

    said = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return constants.HF_HUB_OFFLINE or said.upper() in constants.ENV_VARS_TRUE_VALUES


def _version() -> str | None:
    from importlib import metadata

    try:
        return metadata.version("text2vec")
    except metadata.PackageNotFoundError:  # run from its source folder
        return None


def _silent_bar() -> type[Any]:
    from tqdm import tqdm

    def start(bar: Any, *args: Any, **options: Any) -> None:
        tqdm.__init__(bar, *args, **{**options, "disable": True})

    return type("SilentBar", (tqdm,), {"__init__": start})


def _modules(folder: Path) -> list[tuple[str, str]]:
    # Kind and room of each; a room is "", or a folder's name with a slash.
    path = folder / "modules.json"
    if not path.is_file():
        return [("Transformer", "")]
    try:
        entries = json.loads(path.read_bytes())
        found = [(e["type"].rpartition(".")[2], e.get("path", "").rstrip("/")) for e in entries]
    except _MALFORMED:
        return []  # whoever reads the model says what is wrong with it
    return [(k, r and f"{r}/") for k, r in found if re.fullmatch(r"(?!/|.*\.\.)[\w./-]*", r)]


def _missing_files(folder: Path) -> list[str]:
    modules = _modules(folder)
    settings = [room + "config.json" for kind, room in modules if kind in _CONFIGURED_MODULES]
    missing = [file for file in settings if not (folder / file).is_file()]
    missing += [room + _SAFETENSORS[0] for room in _without_weights(folder)]
    for room in [room for kind, room in modules if kind == "Transformer"]:
        if not any((folder / room / file).is_file() for file in _TOKENIZERS):
            missing.append(room + _TOKENIZERS[0])
    return missing


def _without_weights(folder: Path) -> list[str]:
    rooms = [room for kind, room in _modules(folder) if kind in _WEIGHTED_MODULES]
    return [room for room in rooms if not _has_weights(folder / room)]


def _has_weights(folder: Path) -> bool:
    index = folder / "model.safetensors.index.json"
    if not index.is_file() or (folder / "model.safetensors").is_file():
        return any((folder / file).is_file() for file in ("model.safetensors", *_BIN))
    try:
        shards = set(json.loads(index.read_bytes())["weight_map"].values())
        return all((folder / shard).is_file() for shard in shards)
    except _MALFORMED:
        return True  # whoever reads the weights says what is wrong with it
