"""A model folder's tokenizer, from whichever files it has.

``tokenizer.json`` is taken as it is; where a folder has only the files of older days
(``vocab.txt``, or ``vocab.json`` with ``merges.txt``), the same tokenizer is built from them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from text2vec.errors import ModelFormatError
from text2vec.text.tokenizer_json import read_tokenizer_json

if TYPE_CHECKING:
    import tokenizers

__all__ = ["open_tokenizer_folder"]

_SPECIAL = ("unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_BERT_TOKENS = {name: f"[{name[:3].upper()}]" for name in _SPECIAL} | {"mask_token": "[MASK]"}
_ROBERTA_TOKENS = {
    "unk_token": "<unk>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "cls_token": "<s>",
    "mask_token": "<mask>",
}


_CLASSES = {
    "BertTokenizer",
    "DistilBertTokenizer",
    "MPNetTokenizer",
    "ErnieTokenizer",
    "RobertaTokenizer",
    "PreTrainedTokenizer",
}


def open_tokenizer_folder(folder: Path, *, do_lower_case: bool = False) -> tokenizers.Tokenizer:
    """Return the tokenizer of a model folder.

    Parameters
    ----------
    folder
        Holds ``tokenizer.json`` (``.xz`` too), or ``vocab.txt``, or ``vocab.json`` and
        ``merges.txt``.
    do_lower_case
        Lower-case each text first, as ``sentence_bert_config.json`` may ask.

    Returns
    -------
    tokenizers.Tokenizer
        Ready to use, without padding or truncation.

    Raises
    ------
    ModelFormatError
        If no such file is there, or one is damaged.

    Notes
    -----
    Source: ``tokenizer.json`` is the format of the ``tokenizers`` library; the older files are
    read as ``BertTokenizer`` and ``RobertaTokenizer`` of transformers read them.
    """
    for names, build in _BUILDERS:
        if all((folder / name).is_file() for name in names):
            try:
                backend = build(folder)
            except ModelFormatError:
                raise
            except Exception as exc:  # the library raises plain Exception for a damaged file
                raise ModelFormatError(f"{folder / names[0]} cannot be read: {exc}") from exc
            return _lower_cased(backend) if do_lower_case else backend
    remedy = "open it once with transformers.AutoTokenizer and save_pretrained it"
    raise ModelFormatError(
        f"{folder} has no tokenizer; expected tokenizer.json, vocab.txt, or vocab.json with "
        f"merges.txt; if it has a sentencepiece model only, {remedy}"
    )


def _from_json(folder: Path) -> tokenizers.Tokenizer:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def _from_packed_json(folder: Path) -> tokenizers.Tokenizer:
    from tokenizers import Tokenizer

    return Tokenizer.from_str(read_tokenizer_json(folder / "tokenizer.json.xz").decode("utf-8"))


def _from_wordpiece(folder: Path) -> tokenizers.Tokenizer:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    settings = _settings(folder)
    special = _special_tokens(folder, settings, _BERT_TOKENS)
    # Not read_file of the library, which would trim a token that is a space of some kind.
    lines = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    vocab = {line.rstrip("\r"): i for i, line in enumerate(lines) if line}
    backend = Tokenizer(models.WordPiece(vocab, unk_token=special["unk_token"]))
    backend.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=settings.get("tokenize_chinese_chars", True),
        strip_accents=settings.get("strip_accents"),
        lowercase=settings.get("do_lower_case", True),
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return _with_special_tokens(backend, special, settings, folder / "vocab.txt")


def _from_bpe(folder: Path) -> tokenizers.Tokenizer:
    from tokenizers import Tokenizer, models, pre_tokenizers

    settings = _settings(folder)
    special = _special_tokens(folder, settings, _ROBERTA_TOKENS)
    names = str(folder / "vocab.json"), str(folder / "merges.txt")
    backend = Tokenizer(models.BPE(*models.BPE.read_file(*names)))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(
        add_prefix_space=settings.get("add_prefix_space", False)
    )
    return _with_special_tokens(backend, special, settings, folder / "vocab.json")


_BUILDERS: tuple[tuple[tuple[str, ...], Callable[[Path], tokenizers.Tokenizer]], ...] = (
    (("tokenizer.json",), _from_json),
    (("tokenizer.json.xz",), _from_packed_json),
    (("vocab.txt",), _from_wordpiece),
    (("vocab.json", "merges.txt"), _from_bpe),
)


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / "tokenizer_config.json"
    if not path.is_file():
        return {}
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ModelFormatError(f"{path} holds no JSON object")
    kind = value.get("tokenizer_class")
    if kind is not None and str(kind).removesuffix("Fast") not in _CLASSES:
        raise ModelFormatError(
            f"{path}: tokenizer_class {kind!r} cannot be built from a vocabulary alone; open the "
            "folder once with transformers.AutoTokenizer and save_pretrained it as tokenizer.json"
        )
    return value


def _special_tokens(
    folder: Path, settings: dict[str, Any], defaults: dict[str, str]
) -> dict[str, str]:
    path = folder / "special_tokens_map.json"
    named = dict(settings)
    if path.is_file():
        named |= json.loads(path.read_text(encoding="utf-8"))
    found = {}
    for name, default in defaults.items():
        token = named.get(name, default)
        found[name] = token["content"] if isinstance(token, dict) else token
    return found


def _with_special_tokens(
    backend: tokenizers.Tokenizer,
    special: dict[str, str],
    settings: dict[str, Any],
    where: Path,
) -> tokenizers.Tokenizer:
    from tokenizers import AddedToken, processors

    ids = {name: backend.token_to_id(special[name]) for name in ("cls_token", "sep_token")}
    if None in ids.values():
        raise ModelFormatError(
            f"{where} lacks {special['cls_token']!r} or {special['sep_token']!r}"
        )
    # Tokens that the vocabulary lacks would be added behind its end, where no weight is.
    there = sorted({t for t in special.values() if t and backend.token_to_id(t) is not None})
    backend.add_special_tokens([AddedToken(t) for t in there])
    path = where.with_name("added_tokens.json")
    if path.is_file():
        added = json.loads(path.read_text(encoding="utf-8"))
        backend.add_tokens([AddedToken(t) for t in sorted(added, key=added.__getitem__)])
    more = [str(t) for t in settings.get("additional_special_tokens") or []]
    backend.add_special_tokens([t for t in more if backend.token_to_id(t) is not None])
    cls, sep = special["cls_token"], special["sep_token"]
    backend.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}",
        special_tokens=[(cls, ids["cls_token"]), (sep, ids["sep_token"])],
    )
    return backend


def _lower_cased(backend: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    from tokenizers import normalizers

    first: list[Any] = [normalizers.Lowercase()]
    if backend.normalizer is not None:
        first.append(backend.normalizer)
    backend.normalizer = normalizers.Sequence(first)
    return backend
