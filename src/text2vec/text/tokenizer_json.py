"""Reads a tokenizer.json and says what of it a compact tokenizer file must hold.

Only what the native tokenizer reproduces exactly is taken; anything else raises, naming the
component, and nothing here opens or writes a compact file.
"""

from __future__ import annotations

import base64
import hashlib
import json
import lzma
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from text2vec.errors import ModelFormatError
from text2vec.text.compact_plan import AddedToken, Stage, TokenizerPlan

__all__ = ["read_plan", "read_tokenizer_json"]

_MAX_JSON_BYTES = 256 << 20

# So many decimal digits fit into 64 bits whatever they are.
_SURE_DIGITS = 19
_POWERS = tuple(float(f"1e{power}") for power in range(_SURE_DIGITS + 1))

# How much less likely than the rarest piece an unknown character is.
_UNKNOWN_PENALTY = 10.0

# Values shared with csrc/tokenizer: stages.h, splitter.h, added_tokens.h.
_CHARSMAP, _STRIP, _FOLD_SPACES, _LOWERCASE, _BERT = 1, 2, 3, 4, 5
_METASPACE, _SPACE_THEN_METASPACE, _BERT_SPLIT = 1, 2, 3
_PREPEND = {"never": 0, "first": 1, "always": 2}
_TOKEN_FLAGS = ("single_word", "lstrip", "rstrip", "normalized")


def read_tokenizer_json(path: Path) -> bytes:
    """Return the content of a ``tokenizer.json``, unpacked if its name ends in ``.xz``.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    bytes
        UTF-8.

    Raises
    ------
    ModelFormatError
        If it is damaged, or would take more than 256 MiB.
    """
    if path.suffix != ".xz":
        return path.read_bytes()
    unpack = lzma.LZMADecompressor()
    try:
        content = unpack.decompress(path.read_bytes(), _MAX_JSON_BYTES)
    except lzma.LZMAError as exc:
        raise ModelFormatError(f"{path} cannot be unpacked: {exc}") from exc
    if not unpack.eof:
        raise ModelFormatError(f"{path} is cut off, or larger than {_MAX_JSON_BYTES} bytes")
    return content


def read_plan(path: Path) -> TokenizerPlan:
    """Return what the tokenizer in ``path`` does.

    Parameters
    ----------
    path
        A tokenizer.json.

    Returns
    -------
    TokenizerPlan
        Its vocabulary, normaliser, pre-tokenizer, template and added tokens.

    Raises
    ------
    ModelFormatError
        If the file is no tokenizer.json, or if it uses something that the native tokenizer does
        not reproduce; the message names the component.
    """
    try:
        content = read_tokenizer_json(path)
        spec = json.loads(content, parse_float=_parse_score)
    except ValueError as exc:
        raise ModelFormatError(f"{path} is no JSON ({exc}); expected a tokenizer.json") from exc
    try:
        plan = _read_model(spec["model"])
        _read_normalizer(spec.get("normalizer"), plan)
        _read_pre_tokenizer(spec.get("pre_tokenizer"), plan)
        _read_post_processor(spec.get("post_processor"), plan)
        _read_added_tokens(spec.get("added_tokens") or [], plan, spec["model"])
    except ModelFormatError as exc:
        raise ModelFormatError(f"{path}: {exc}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise ModelFormatError(f"{path} is malformed ({exc!r}); expected a tokenizer.json") from exc
    plan.source = hashlib.sha256(content).digest()
    return plan


def _refuse(component: str, found: object) -> ModelFormatError:
    """Return the error for a component that is not covered."""
    return ModelFormatError(
        f"{component} {found!r} is not covered by the native tokenizer; use the tokenizers library"
    )


def _parse_score(text: str) -> float:
    """Return a number as ``tokenizers`` reads it."""
    # Its JSON reader rounds twice: the digits become an unsigned 64-bit integer, as many as fit,
    # that is divided or multiplied by a power of ten. A last bit can decide between two paths.
    head, point, tail = text.partition(".")
    if tail.isdigit() and len(text) <= _SURE_DIGITS + len(point):
        value = int(head + tail) / _POWERS[len(tail)]
        if value:  # the other way keeps the sign of a zero
            return value
    sign, digits, exponent = re.fullmatch(r"(-?)([0-9.]+)(?:[eE]([+-]?\d+))?", text).groups()  # type: ignore[union-attr]
    whole, _, fraction = digits.partition(".")
    significand, power = int(whole), int(exponent or 0)
    for digit in fraction:
        if significand * 10 + int(digit) >= 1 << 64:
            break
        significand = significand * 10 + int(digit)
        power -= 1
    if significand >= 1 << 64 or abs(power) > 308:
        raise ModelFormatError(f"the number {text} is out of the usual range")
    scale = float(f"1e{abs(power)}")
    value = significand / scale if power < 0 else significand * scale
    return -value if sign else value


def _read_model(model: dict[str, Any]) -> TokenizerPlan:
    """Return a plan with the vocabulary alone."""
    kind = model.get("type")
    if kind == "Unigram":
        return _read_unigram(model)
    if kind != "WordPiece":
        raise _refuse("model", kind)
    entries = {piece.encode(): id_ for piece, id_ in model["vocab"].items() if piece}
    unknown = model["unk_token"].encode()
    if unknown not in entries:
        raise _refuse("WordPiece without its unk_token in the vocabulary, ", model["unk_token"])
    return TokenizerPlan(
        is_unigram=False,
        unknown_id=entries[unknown],
        entries=entries,
        continuation=model["continuing_subword_prefix"],
        max_word_chars=model["max_input_chars_per_word"],
    )


def _read_unigram(model: dict[str, Any]) -> TokenizerPlan:
    """Return a plan with the pieces and scores of a Unigram model."""
    if model.get("byte_fallback"):
        raise _refuse("Unigram with byte_fallback", True)
    if model.get("unk_id") is None:
        raise _refuse("Unigram with unk_id", None)
    scores = [float(score) for _, score in model["vocab"]]
    return TokenizerPlan(
        is_unigram=True,
        unknown_id=model["unk_id"],
        # Of equal pieces the last one counts, as in the library.
        entries={piece.encode(): id_ for id_, (piece, _) in enumerate(model["vocab"]) if piece},
        scores=scores,
        unknown_score=min(scores) - _UNKNOWN_PENALTY,
    )


def _read_normalizer(spec: dict[str, Any] | None, plan: TokenizerPlan) -> None:
    """Add the normaliser's steps."""
    if spec is None:
        return
    if spec["type"] == "Sequence":
        for part in spec["normalizers"]:
            _read_normalizer(part, plan)
        return
    reader = _NORMALIZERS.get(spec["type"])
    if reader is None:
        raise _refuse("normalizer", spec["type"])
    plan.stages.append(reader(spec, plan))


def _read_charsmap(spec: dict[str, Any], plan: TokenizerPlan) -> Stage:
    if plan.stages:
        raise _refuse("normalizer Precompiled after another one,", spec["type"])
    plan.charsmap = base64.b64decode(spec["precompiled_charsmap"], validate=True)
    return Stage(_CHARSMAP)


def _read_strip(spec: dict[str, Any], _plan: TokenizerPlan) -> Stage:
    return Stage(_STRIP, int(spec["strip_left"]) | int(spec["strip_right"]) << 1)


def _read_replace(spec: dict[str, Any], _plan: TokenizerPlan) -> Stage:
    pattern = spec["pattern"].get("Regex")
    found = re.fullmatch(r" (?:\{(\d+),\}|(\+))", pattern or "")
    if found is None or found[1] == "0":
        raise _refuse("normalizer Replace with the pattern", spec["pattern"])
    return Stage(_FOLD_SPACES, int(found[1] or 1), spec["content"])


def _read_lowercase(_spec: dict[str, Any], _plan: TokenizerPlan) -> Stage:
    return Stage(_LOWERCASE)


def _read_bert(spec: dict[str, Any], _plan: TokenizerPlan) -> Stage:
    accents = spec["strip_accents"]
    switches = (
        spec["clean_text"],
        spec["handle_chinese_chars"],
        spec["lowercase"] if accents is None else accents,
        spec["lowercase"],
    )
    return Stage(_BERT, sum(bool(on) << i for i, on in enumerate(switches)))


_NORMALIZERS: dict[str, Callable[[dict[str, Any], TokenizerPlan], Stage]] = {
    "Precompiled": _read_charsmap,
    "Strip": _read_strip,
    "Replace": _read_replace,
    "Lowercase": _read_lowercase,
    "BertNormalizer": _read_bert,
}


def _read_pre_tokenizer(spec: dict[str, Any] | None, plan: TokenizerPlan) -> None:
    """Set how words are found."""
    if spec is None:
        raise _refuse("pre_tokenizer", None)
    parts: list[dict[str, Any]] = spec["pretokenizers"] if spec["type"] == "Sequence" else [spec]
    kinds = [part["type"] for part in parts]
    if kinds == ["BertPreTokenizer"]:
        plan.splitter = _BERT_SPLIT
        return
    if kinds not in (["Metaspace"], ["WhitespaceSplit", "Metaspace"]):
        raise _refuse("pre_tokenizer", kinds)
    metaspace = parts[-1]
    scheme = metaspace.get("prepend_scheme", "always")
    if metaspace.get("add_prefix_space") is False:
        scheme = "never"
    if metaspace.get("split") is False:
        raise _refuse("pre_tokenizer Metaspace with split", False)
    # Whether a word counts as the first depends on alignments that are not kept here: on whether
    # the normaliser took away something before it.
    if scheme == "first" and (len(parts) > 1 or not _keeps_start(plan.stages)):
        raise _refuse(
            "pre_tokenizer Metaspace after such a normalizer, with prepend_scheme", scheme
        )
    plan.splitter = _METASPACE if len(parts) == 1 else _SPACE_THEN_METASPACE
    plan.prepend = _PREPEND[scheme]
    plan.replacement = metaspace["replacement"]


def _keeps_start(stages: list[Stage]) -> bool:
    """Whether no step but a character map, lower-casing or a right strip takes part."""
    return all(
        stage.kind in {_CHARSMAP, _LOWERCASE} or (stage.kind == _STRIP and not stage.option & 1)
        for stage in stages
    )


def _read_post_processor(spec: dict[str, Any] | None, plan: TokenizerPlan) -> None:
    """Set the ids around a text."""
    if spec is None:
        return
    if spec["type"] in {"BertProcessing", "RobertaProcessing"}:
        plan.before, plan.after = [spec["cls"][1]], [spec["sep"][1]]
        return
    if spec["type"] != "TemplateProcessing":
        raise _refuse("post_processor", spec["type"])
    seen_text = False
    for part in spec["single"]:
        if "Sequence" in part:
            if seen_text or part["Sequence"]["id"] != "A":
                raise _refuse("post_processor TemplateProcessing", spec["single"])
            seen_text = True
            continue
        ids = spec["special_tokens"][part["SpecialToken"]["id"]]["ids"]
        (plan.after if seen_text else plan.before).extend(ids)
    if not seen_text:
        raise _refuse("post_processor TemplateProcessing without a text,", spec["single"])


def _read_added_tokens(
    tokens: list[dict[str, Any]], plan: TokenizerPlan, model: dict[str, Any]
) -> None:
    """Add the added tokens, with the ids that the library gives them."""
    # The ids written beside them do not count: a token that the vocabulary holds has its id there,
    # and the others are numbered from the vocabulary's end.
    next_id = len(model["vocab"])
    by_content: dict[str, AddedToken] = {}
    for token in tokens:
        content = token["content"]
        if not content:
            continue
        flags = sum(bool(token[name]) << i for i, name in enumerate(_TOKEN_FLAGS))
        if token["normalized"] and plan.prepend == _PREPEND["first"]:
            raise _refuse("added token with normalized beside prepend_scheme first,", content)
        known = (
            by_content[content].id if content in by_content else plan.entries.get(content.encode())
        )
        if known is None:
            known, next_id = next_id, next_id + 1
        by_content[content] = AddedToken(known, flags, content)
    plan.added_tokens = list(by_content.values())
