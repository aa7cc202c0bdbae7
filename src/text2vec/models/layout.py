"""A model folder's description, read from whichever layout it has.

``LAYOUTS`` has one row for each kind of folder; the first whose markers are all there reads it
into a ``ModelSpec``. Weights and tokenizer stay untouched here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from text2vec.errors import ModelFormatError, ModelNotFoundError
from text2vec.models.architectures import ARCHITECTURES, TransformerShape, read_shape
from text2vec.models.spec import (
    DENSE_ACTIVATIONS,
    HIDDEN_KEYS,
    PLAIN_MAX_TOKENS,
    POOLING_FLAGS,
    POOLING_MODES,
    DenseSpec,
    ModelSpec,
)

__all__ = ["LAYOUTS", "Layout", "read_spec"]

# Old sentence-transformers named the file after the architecture.
_SETTINGS_OF = ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
_MAX_JSON_BYTES = 32 << 20


@dataclass(frozen=True)
class Layout:
    """One kind of model folder: its name, the files that mark it, and how it is read."""

    name: str
    markers: tuple[str, ...]
    read: Callable[[Path], ModelSpec]


def read_spec(folder: Path) -> ModelSpec:
    """Return what a model folder says of itself.

    Parameters
    ----------
    folder
        A folder in any layout of ``LAYOUTS``.

    Returns
    -------
    ModelSpec
        The description, checked; no weight has been read.

    Raises
    ------
    ModelNotFoundError
        If the folder does not exist.
    ModelFormatError
        If no layout fits, or a file says something impossible; the message names the file.

    Notes
    -----
    Source: the folders that sentence-transformers 2 to 6, transformers and text2vec 1.3 write.
    """
    if not folder.is_dir():
        raise ModelNotFoundError(f"{folder} is no folder; expected a model folder")
    for layout in LAYOUTS:
        if all((folder / marker).is_file() for marker in layout.markers):
            return layout.read(folder)
    raise ModelFormatError(
        f"{folder} has neither modules.json nor config.json; expected a folder written by "
        "sentence-transformers, transformers or text2vec"
    )


def _read_json(path: Path) -> Any:
    try:
        size = path.stat().st_size
        if size > _MAX_JSON_BYTES:
            raise ModelFormatError(f"{path} has {size} bytes; expected {_MAX_JSON_BYTES} at most")
        return json.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError as exc:
        raise ModelFormatError(f"{path} is missing") from exc
    except OSError as exc:
        raise ModelFormatError(f"{path} cannot be read: {exc.strerror}") from exc
    except (UnicodeDecodeError, ValueError, RecursionError) as exc:
        if isinstance(exc, ModelFormatError):
            raise
        raise ModelFormatError(f"{path} is no valid JSON: {exc}") from exc


def _read_object(path: Path) -> dict[str, Any]:
    value = _read_json(path)
    if not isinstance(value, dict):
        raise ModelFormatError(f"{path} holds a {type(value).__name__}; expected a JSON object")
    return value


def _inside(folder: Path, name: Any, source: Path) -> Path:
    # Lexical on purpose: the Hub's cache is made of links that lead out of the snapshot.
    parts = Path(str(name)).parts
    bad = Path(str(name)).is_absolute() or ".." in parts or ":" in str(name) or "\\" in str(name)
    if not isinstance(name, str) or bad:
        raise ModelFormatError(f"{source}: path {name!r} leaves the model folder")
    return folder / name


def _read_transformer(folder: Path) -> tuple[dict[str, Any], TransformerShape | None]:
    path = folder / "config.json"
    config = _read_object(path)
    kind = config.get("model_type")
    if not isinstance(kind, str):
        raise ModelFormatError(f"{path}: model_type is {kind!r}; expected a name")
    # A variant that our engines lack is PyTorch's, like an architecture that they lack.
    ours = config.get("position_embedding_type", "absolute") == "absolute"
    if kind in ARCHITECTURES and ours:
        return config, read_shape(config, str(path))
    if not any(isinstance(config.get(key), int) and config[key] > 0 for key in HIDDEN_KEYS):
        raise ModelFormatError(f"{path} states no width; expected one of {', '.join(HIDDEN_KEYS)}")
    return config, None


def _tokenizer_limit(body: Path, config: Mapping[str, Any], shape: TransformerShape | None) -> int:
    path = body / "tokenizer_config.json"
    limit = _read_object(path).get("model_max_length") if path.is_file() else None
    stated = config.get("max_position_embeddings")
    allowed = shape.max_tokens if shape is not None else stated
    found = [n for n in (limit, allowed) if isinstance(n, (int, float)) and 0 < n < 1 << 20]
    return int(min(found)) if found else PLAIN_MAX_TOKENS


def _read_plain(folder: Path, layout: str, notes: tuple[str, ...]) -> ModelSpec:
    config, shape = _read_transformer(folder)
    limit = min(PLAIN_MAX_TOKENS, shape.max_tokens if shape is not None else PLAIN_MAX_TOKENS)
    note = f"no pooling or length recorded: mean pooling and {limit} tokens assumed"
    return ModelSpec(
        folder, layout, folder, config, shape, max_seq_length=limit, notes=(*notes, note)
    )


def _read_transformers(folder: Path) -> ModelSpec:
    return _read_plain(folder, "transformers", ())


def _read_text2vec(folder: Path) -> ModelSpec:
    note = "saved by text2vec 1.x, whose CosentModel trains with pooling='first_last_avg'"
    return _read_plain(folder, "text2vec", (note,))


def _read_sentence_transformers(folder: Path) -> ModelSpec:
    modules = _modules(folder)
    kind, body = modules[0]
    if kind != "Transformer":
        raise ModelFormatError(
            f"{folder / 'modules.json'}: first module is {kind}; expected Transformer"
        )
    config, shape = _read_transformer(body)
    settings: dict[str, Any] = {}
    for kind in _SETTINGS_OF:
        if (body / f"sentence_{kind}_config.json").is_file():
            settings = _read_object(body / f"sentence_{kind}_config.json")
            break
    limit = settings.get("max_seq_length")
    if limit is None:
        limit = _tokenizer_limit(body, config, shape)
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise ModelFormatError(f"{body}: max_seq_length is {limit!r}; expected a number above 0")
    if shape is not None:
        limit = min(limit, shape.max_tokens)
    spec = ModelSpec(
        folder,
        "sentence-transformers",
        body,
        config,
        shape,
        max_seq_length=limit,
        do_lower_case=bool(settings.get("do_lower_case", False)),
        **_read_head(modules[1:], folder),
        **_read_encode_settings(folder),
    )
    _check_widths(spec)
    return spec


def _modules(folder: Path) -> list[tuple[str, Path]]:
    path = folder / "modules.json"
    entries = _read_json(path)
    if not isinstance(entries, list) or not entries:
        raise ModelFormatError(f"{path} holds no list of modules")
    found = []
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("type"), str):
            raise ModelFormatError(f"{path}: module {entry!r} has no type")
        kind = entry["type"].rpartition(".")[2]
        found.append((kind, _inside(folder, entry.get("path", ""), path)))
    return found


def _read_head(modules: list[tuple[str, Path]], folder: Path) -> dict[str, Any]:
    head: dict[str, Any] = {"dense": (), "normalize": False, "pooling": None}
    for kind, path in modules:
        if head["normalize"] and kind != "Dropout":
            raise ModelFormatError(f"{path}: {kind} after Normalize is not supported")
        if kind == "Pooling" and head["pooling"] is None:
            head["pooling"], head["include_prompt"] = _read_pooling(path / "config.json")
        elif kind == "Dense" and head["pooling"] is not None:
            head["dense"] += (_read_dense(path),)
        elif kind == "Normalize":
            head["normalize"] = True
        elif kind != "Dropout":  # which does nothing outside training
            raise ModelFormatError(
                f"{folder / 'modules.json'}: module {kind} is not supported here; expected "
                "Transformer, Pooling, Dense, Normalize in this order; load it with "
                "sentence-transformers"
            )
    if head["pooling"] is None:
        raise ModelFormatError(f"{folder / 'modules.json'}: no Pooling module")
    return head


def _read_pooling(path: Path) -> tuple[tuple[str, ...], bool]:
    config = _read_object(path)
    modes = config.get("pooling_mode")
    if modes is None:
        modes = [mode for flag, mode in POOLING_FLAGS.items() if config.get(flag)] or ["mean"]
    modes = [modes] if isinstance(modes, str) else modes
    known = isinstance(modes, list) and modes and all(mode in POOLING_MODES for mode in modes)
    if not known:
        shown = modes[0] if isinstance(modes, list) and len(modes) == 1 else modes
        raise ModelFormatError(
            f"unknown pooling {shown!r} in {path}; expected one of {', '.join(POOLING_MODES)}"
        )
    return tuple(modes), bool(config.get("include_prompt", True))


def _read_dense(folder: Path) -> DenseSpec:
    path = folder / "config.json"
    config = _read_object(path)
    name = config.get("activation_function", "torch.nn.modules.activation.Tanh")
    if not isinstance(name, str) or name not in DENSE_ACTIVATIONS:
        raise ModelFormatError(
            f"{path}: activation {name!r}; expected one of {', '.join(DENSE_ACTIVATIONS)}"
        )
    sizes: list[Any] = [config.get("in_features"), config.get("out_features")]
    if not all(isinstance(n, int) and 0 < n <= 1 << 16 for n in sizes):
        raise ModelFormatError(f"{path}: in_features and out_features are {sizes}")
    width_in, width_out = map(int, sizes)
    if config.get("use_residual") or config.get("module_input_name", "sentence_embedding") != (
        "sentence_embedding"
    ):
        raise ModelFormatError(f"{path}: only plain Dense layers on the embedding are supported")
    return DenseSpec(
        folder, width_in, width_out, bool(config.get("bias", True)), DENSE_ACTIVATIONS[name]
    )


def _read_encode_settings(folder: Path) -> dict[str, Any]:
    path = folder / "config_sentence_transformers.json"
    if not path.is_file():
        return {}
    config = _read_object(path)
    prompts = config.get("prompts") or {}
    default = config.get("default_prompt_name")
    if not isinstance(prompts, dict) or not all(isinstance(p, str) for p in prompts.values()):
        raise ModelFormatError(f"{path}: prompts is {prompts!r}; expected name: text")
    if default is not None and (not isinstance(default, str) or default not in prompts):
        raise ModelFormatError(f"{path}: default_prompt_name {default!r} is not among its prompts")
    kept = config.get("truncate_dim")
    if kept is not None and (isinstance(kept, bool) or not isinstance(kept, int) or kept < 1):
        raise ModelFormatError(f"{path}: truncate_dim is {kept!r}; expected a number above 0")
    return {
        "truncate_dim": kept,
        "prompts": MappingProxyType(dict(prompts)),
        "default_prompt_name": default,
        "similarity_fn_name": config.get("similarity_fn_name") or "cosine",
    }


def _check_widths(spec: ModelSpec) -> None:
    width = spec.hidden * len(spec.pooling)
    for layer in spec.dense:
        if width and layer.in_features != width:
            raise ModelFormatError(
                f"{layer.folder}: in_features is {layer.in_features}; expected {width}"
            )
        width = layer.out_features


LAYOUTS: tuple[Layout, ...] = (
    Layout("sentence-transformers", ("modules.json",), _read_sentence_transformers),
    Layout("text2vec", ("config.json", "eval_results.txt"), _read_text2vec),
    Layout("transformers", ("config.json",), _read_transformers),
)
