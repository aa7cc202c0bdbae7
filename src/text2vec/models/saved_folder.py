"""A model written as a folder that sentence-transformers and transformers open too.

The folder appears whole or not at all: it is written beside its place and renamed into it.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from text2vec.models.architectures import ARCHITECTURES
from text2vec.models.checkpoint import Weights, load_dense, load_weights
from text2vec.models.spec import (
    DENSE_ACTIVATIONS,
    POOLING_FLAGS,
    POOLING_MODES,
    STORAGE_KEY,
    ModelSpec,
)

__all__ = [
    "check_other_folder",
    "check_target",
    "new_folder",
    "transformers_body",
    "write_json",
    "write_model_folder",
]

_MODULE_TYPES = {
    "Transformer": "sentence_transformers.models.Transformer",
    "Pooling": "sentence_transformers.models.Pooling",
    "Dense": "sentence_transformers.models.Dense",
    "Normalize": "sentence_transformers.models.Normalize",
}
_ACTIVATION_CLASSES = {name: kind for kind, name in DENSE_ACTIVATIONS.items()}
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
)
_MODEL_FILES = {
    *_TOKENIZER_FILES,
    "tokenizer.json.xz",
    "config.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "checksums.json",
    "README.md",
}
_CARD = """---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags: [sentence-transformers, sentence-similarity, feature-extraction, text2vec]
---

# {name}

Sentence embeddings of {dim} dimensions: {pooling} pooling, at most {max_seq_length} tokens.

```python
from text2vec import SentenceModel

model = SentenceModel("path/of/this/folder")
embeddings = model.encode(["How to replace the Huabei bundled bank card"])
```

`sentence_transformers.SentenceTransformer` and `transformers.AutoModel` open the folder as well.
"""


def write_model_folder(spec: ModelSpec, tokenizer_json: Callable[[], str], target: Path) -> None:
    """Write a model in the layout of sentence-transformers.

    Parameters
    ----------
    spec
        The model; its weights and tokenizer files are taken from its folders.
    tokenizer_json
        Gives the content of ``tokenizer.json``; asked only where the model has no such file.
    target
        The folder; one that holds a model and nothing else is replaced once the new one is
        complete.

    Raises
    ------
    ValueError
        If ``target`` is a file, or a folder that holds something that no model folder does.

    Notes
    -----
    Source: ``modules.json`` and the module folders of sentence-transformers 2 to 6. The pooling
    ``first_last_avg`` is written too, but only text2vec knows it.
    """
    with new_folder(target.absolute()) as folder:
        _copy_tokenizer(spec, tokenizer_json, folder)
        _write_weights(spec, folder)
        for name, content in _configs(spec).items():
            write_json(folder / name, content)
        for i, layer in enumerate(spec.dense):
            weight, bias = load_dense(layer)
            tensors = {"linear.weight": weight}
            if bias is not None:
                tensors["linear.bias"] = bias
            _save_tensors(tensors, folder / f"{2 + i}_Dense" / "model.safetensors")
        _write_card(spec, target.name, folder)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Make a model folder that appears under its name only when the block ends well.

    Parameters
    ----------
    target
        Its absolute path; a folder there that holds a model and nothing else is replaced.

    Yields
    ------
    Path
        The folder to fill.

    Raises
    ------
    ValueError
        If ``target`` is a file, or a folder that holds something that no model folder does.
    """
    check_target(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    work = target.parent / f".{target.name}.{uuid.uuid4().hex}.tmp"
    work.mkdir()
    try:
        folder = work / "new"
        folder.mkdir()
        yield folder
        if target.exists():
            target.rename(work / "old")
        try:
            folder.rename(target)
        except BaseException:  # an interrupt between the two renames must not lose the old one
            if (work / "old").exists():
                (work / "old").rename(target)
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def transformers_body(spec: ModelSpec) -> Iterator[Path]:
    """Give a folder that ``AutoModel.from_pretrained`` reads, for a compact model too.

    Parameters
    ----------
    spec
        The model.

    Yields
    ------
    Path
        Its transformer's folder; of a compact model one that is gone after the block, with
        ``config.json`` and the same weights in float32.
    """
    if spec.stored_dtype == "float32":
        yield spec.body
        return
    # Windows keeps a mapped file: what transformers still maps is left to the system to remove.
    with tempfile.TemporaryDirectory(prefix="text2vec.", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        _write_weights(spec, folder)
        write_json(folder / "config.json", _configs(spec)["config.json"])
        yield folder


def check_target(target: Path) -> None:
    """Refuse a place where no model folder may be written.

    Parameters
    ----------
    target
        The folder to write; it need not exist.

    Raises
    ------
    ValueError
        If it is a file, or a folder that holds something that no model folder does.
    """
    if not target.exists():
        return
    if not target.is_dir():
        raise ValueError(f"{target} is a file; expected a folder to write the model to")
    strangers = sorted(p.name for p in target.iterdir() if not _belongs_to_a_model(p))
    if strangers:
        raise ValueError(
            f"{target} holds other files ({', '.join(strangers[:3])}); expected a new or empty "
            "folder, or one with a model and nothing else, which is replaced"
        )


def check_other_folder(target: Path, sources: Sequence[Path]) -> None:
    """Refuse to write a model onto one of those that it is made from.

    Parameters
    ----------
    target
        Where the new model would go; need not exist.
    sources
        Folders of the models.

    Raises
    ------
    ValueError
        If ``target`` is one of them, under whatever name.
    """
    if any(target.resolve() == source.resolve() for source in sources):
        which = "the model itself" if len(sources) == 1 else "one of the models"
        raise ValueError(f"{target} is {which}; expected another folder to write to")


def _belongs_to_a_model(path: Path) -> bool:
    if path.is_dir():
        inside = ("config.json", "model.safetensors", "pytorch_model.bin")
        return path.name[:1].isdigit() and all(p.name in inside for p in path.iterdir())
    return path.name in _MODEL_FILES or path.match("model*.safetensors")


def _copy_tokenizer(spec: ModelSpec, tokenizer_json: Callable[[], str], folder: Path) -> None:
    for name in _TOKENIZER_FILES:
        if (spec.body / name).is_file():
            shutil.copyfile(spec.body / name, folder / name)
    if not (folder / "tokenizer.json").exists():
        (folder / "tokenizer.json").write_text(tokenizer_json(), encoding="utf-8")


def _write_weights(spec: ModelSpec, folder: Path) -> None:
    whole = spec.body / "model.safetensors"
    is_compact = spec.stored_dtype != "float32"
    if (whole.is_file() and not is_compact) or spec.shape is None:
        # As they are: a head that we do not use, or an architecture that we do not know, stays.
        for path in sorted([*spec.body.glob("*.safetensors*"), *spec.body.glob("*.bin")]):
            if path.suffix != ".bin" or not whole.is_file():
                shutil.copyfile(path, folder / path.name)
        return
    row = ARCHITECTURES[spec.shape.architecture]
    tensors: Weights = {}
    for name, value in load_weights(spec.body, spec.shape).items():
        stem, _, part = name.rpartition(".")
        if name in row.tables:
            tensors[row.tables[name]] = value
        else:
            _, i, stem = stem.split(".", 2)
            tensors[f"{row.layer[stem].format(i=i)}.{part}"] = value
    _save_tensors(tensors, folder / "model.safetensors")


def _save_tensors(tensors: Weights, path: Path) -> None:
    from safetensors.numpy import save_file

    path.parent.mkdir(exist_ok=True)
    arrays = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    save_file(arrays, path, metadata={"format": "pt"})


def _configs(spec: ModelSpec) -> dict[str, Any]:
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
    modules += [(f"{2 + i}_Dense", "Dense") for i in range(len(spec.dense))]
    configs: dict[str, Any] = {
        "config.json": {k: v for k, v in spec.config.items() if k != STORAGE_KEY},
        "sentence_bert_config.json": {
            "max_seq_length": spec.max_seq_length,
            "do_lower_case": spec.do_lower_case,
        },
        "1_Pooling/config.json": _pooling_config(spec),
        "config_sentence_transformers.json": {
            "prompts": dict(spec.prompts),
            "default_prompt_name": spec.default_prompt_name,
            "similarity_fn_name": spec.similarity_fn_name,
            **({} if spec.truncate_dim is None else {"truncate_dim": spec.truncate_dim}),
        },
    }
    for i, layer in enumerate(spec.dense):
        configs[f"{2 + i}_Dense/config.json"] = {
            "in_features": layer.in_features,
            "out_features": layer.out_features,
            "bias": layer.bias,
            "activation_function": _ACTIVATION_CLASSES[layer.activation],
        }
    if spec.normalize:
        modules.append((f"{len(modules)}_Normalize", "Normalize"))
        configs[f"{modules[-1][0]}/config.json"] = {}
    configs["modules.json"] = [
        {"idx": i, "name": str(i), "path": path, "type": _MODULE_TYPES[kind]}
        for i, (path, kind) in enumerate(modules)
    ]
    return configs


def _pooling_config(spec: ModelSpec) -> dict[str, Any]:
    config: dict[str, Any] = {"word_embedding_dimension": spec.hidden}
    in_order = [mode for mode in POOLING_MODES if mode in spec.pooling]
    if list(spec.pooling) != in_order or not set(spec.pooling) <= set(POOLING_FLAGS.values()):
        # Flags have an order of their own and no word for our own mode.
        modes = {"pooling_mode": list(spec.pooling), "include_prompt": spec.include_prompt}
        return {"embedding_dimension": spec.hidden, **modes}
    # The flags are what every version of sentence-transformers reads, from 2 to 6.
    config |= {flag: mode in spec.pooling for flag, mode in POOLING_FLAGS.items()}
    return config | {"include_prompt": spec.include_prompt}


def write_json(path: Path, content: Any) -> None:
    """Write one of a model folder's JSON files; its own folder is made if missing.

    Parameters
    ----------
    path
        The file, in a folder that ``new_folder`` gave.
    content
        What JSON can carry.
    """
    path.parent.mkdir(exist_ok=True)
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")


def _write_card(spec: ModelSpec, name: str, folder: Path) -> None:
    card = spec.folder / "README.md"
    if card.is_file():
        shutil.copyfile(card, folder / "README.md")
        return
    text = _CARD.format(
        name=name,
        dim=spec.dim,
        pooling=" + ".join(spec.pooling),
        max_seq_length=spec.max_seq_length,
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
