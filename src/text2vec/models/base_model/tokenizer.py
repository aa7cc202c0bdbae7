"""The tokenizer.json of the base model: XLM-R's Unigram vocabulary behind its own normaliser.

The character rules are those of sentencepiece's ``nmt_nfkc``, held to the character map that the
model was trained with: later releases of sentencepiece know newer characters, and keep U+200D.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from text2vec.errors import MissingExtraError, ModelFormatError, require
from text2vec.models.base_model.q4_file import Q4File

__all__ = ["MASK_TOKEN", "open_sentencepiece", "write_tokenizer"]

MASK_TOKEN = "<mask>"
_SPACE_MARK = "▁"
_ERRORS_ONLY = 2  # log level of sentencepiece, whose own default is 0: everything


def open_sentencepiece() -> ModuleType:
    """Import the package whose character rules ``write_tokenizer`` starts from.

    Returns
    -------
    ModuleType
        The module ``sentencepiece``.

    Raises
    ------
    MissingExtraError
        If sentencepiece or protobuf is missing, or sentencepiece is too old.
    """
    module = require("sentencepiece", "model")
    require("google.protobuf", "model")
    if not hasattr(getattr(module, "SentencePieceNormalizer", None), "Decompile"):
        raise MissingExtraError(
            f"sentencepiece {module.__version__} is too old; expected 0.2.2 or later; "
            "pip install --upgrade 'text2vec[model]'"
        )
    return module


def write_tokenizer(q4: Q4File, path: Path) -> None:
    """Write the tokenizer of a 4-bit file as XLM-R has it, for the ``tokenizers`` library.

    The tokenizer puts ``<s>`` before and ``</s>`` after a text; an empty text gives these alone.

    Parameters
    ----------
    q4
        The file that holds pieces, scores, special ids and the character map.
    path
        The tokenizer.json to write.

    Raises
    ------
    ModelFormatError
        If the vocabulary has no ``<mask>``.
    MissingExtraError
        If sentencepiece or protobuf is missing or too old.

    Notes
    -----
    Source: the conversion of sentencepiece models in transformers (``SpmConverter``). The ids are
    those of sentencepiece but for near ties, which it sums in another precision (3 of 125,186
    real texts in ten languages).
    """
    from tokenizers import (
        AddedToken,
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
    )

    if MASK_TOKEN not in q4.pieces:
        raise ModelFormatError(f"{q4.name}: no piece is {MASK_TOKEN!r}; expected one")
    header = q4.header
    bos, eos = q4.pieces[header.bos], q4.pieces[header.eos]
    vocabulary = list(zip(q4.pieces, q4.scores.tolist(), strict=True))
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=header.unk, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.Precompiled(_compile_characters(q4)),
        normalizers.Strip(left=False, right=True),
        normalizers.Replace(Regex(" {2,}"), " "),
    ])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(_SPACE_MARK, prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(_SPACE_MARK, prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=[bos, "$A", eos],
        pair=[bos, "$A", eos, eos, "$B", eos],
        special_tokens=[(bos, header.bos), (eos, header.eos)],
    )
    special = [bos, q4.pieces[header.pad], eos, q4.pieces[header.unk], MASK_TOKEN]
    tokenizer.add_special_tokens([
        AddedToken(piece, normalized=False, special=True, lstrip=piece == MASK_TOKEN)
        for piece in special
    ])
    path.write_bytes(tokenizer.to_str(pretty=True).encode("utf-8"))


def _compile_characters(q4: Q4File) -> bytes:
    spm: Any = open_sentencepiece()
    messages: Any = require("sentencepiece.sentencepiece_model_pb2", "model")
    spm.SetMinLogLevel(_ERRORS_ONLY)
    try:
        rules = dict(spm.SentencePieceNormalizer(rule_name="nmt_nfkc").Decompile())
        newer = {source for source in rules if len(source) == 1} - q4.character_map.keys()
        kept = {
            source: target
            for source, target in rules.items()
            if len(source) > 1 and newer.isdisjoint(source)
        }
        normaliser = spm.SentencePieceNormalizer(
            norm_map=sorted({**kept, **q4.character_map}.items())
        )
    finally:
        spm.SetMinLogLevel(0)
    spec = messages.NormalizerSpec()
    spec.ParseFromString(normaliser.serialized_normalizer_spec())
    return bytes(spec.precompiled_charsmap)
