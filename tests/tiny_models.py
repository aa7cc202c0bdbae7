"""Tiny checkpoints of each architecture, made by transformers from a seed."""

from __future__ import annotations

import json
from pathlib import Path

import torch
import transformers
from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

ARCHITECTURES = ("bert", "ernie", "roberta", "xlm-roberta", "distilbert", "mpnet")
HIDDEN, LAYERS, HEADS, WIDE, POSITIONS = 32, 3, 4, 48, 66

SENTENCES = (
    "如何更换花呗绑定银行卡",
    "花呗更改绑定银行卡",
    "How to replace the Huabei bundled bank card",
    "Ein Flugzeug hebt gerade ab.",
    "Una mujer está cortando cebollas.",
    "Un homme joue de la guitare.",
    "Un uomo sta tagliando una patata.",
    "Een man speelt op een grote fluit.",
    "Mężczyzna rozrzuca starty ser na pizzę.",
    "Um homem está espalhando queijo ralado numa pizza.",
    "Мужчина играет на большой флейте.",
    "a",
    "",
    "the same word the same word the same word " * 3,
)


def make_tokenizer(architecture: str) -> Tokenizer:
    """Train a tokenizer of the architecture's kind on the sentences above."""
    if architecture == "roberta":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
    elif architecture == "xlm-roberta":
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.normalizer = normalizers.Replace(Regex(" {2,}"), " ")
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=150,
            special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
            unk_token="<unk>",
            show_progress=False,
        )
    else:
        names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        if architecture == "mpnet":
            names = ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"]
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer()
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(
            vocab_size=200, special_tokens=names, show_progress=False
        )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    cls, sep = ("[CLS]", "[SEP]") if tokenizer.token_to_id("[CLS]") is not None else ("<s>", "</s>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}",
        special_tokens=[(t, tokenizer.token_to_id(t)) for t in (cls, sep)],
    )
    return tokenizer


def make_transformer(architecture: str, vocab_size: int, pad: int) -> torch.nn.Module:
    """Make a tiny model; its weights are spread out, so that a wrong one shows."""
    common = {"vocab_size": vocab_size, "pad_token_id": pad}
    bert = {
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": WIDE,
        "max_position_embeddings": POSITIONS,
    }
    configs = {
        "bert": lambda: transformers.BertConfig(**common, **bert),
        "ernie": lambda: transformers.ErnieConfig(**common, **bert, use_task_id=True),
        "roberta": lambda: transformers.RobertaConfig(**common, **bert, type_vocab_size=1),
        "xlm-roberta": lambda: transformers.XLMRobertaConfig(**common, **bert, type_vocab_size=1),
        "mpnet": lambda: transformers.MPNetConfig(**common, **bert),
        "distilbert": lambda: transformers.DistilBertConfig(
            **common,
            dim=HIDDEN,
            n_layers=LAYERS,
            n_heads=HEADS,
            hidden_dim=WIDE,
            max_position_embeddings=POSITIONS,
        ),
    }
    torch.manual_seed(len(architecture))
    model = transformers.AutoModel.from_config(configs[architecture]())
    with torch.no_grad():
        for name, weight in model.named_parameters():
            mean = 1.0 if "LayerNorm.weight" in name or "layer_norm.weight" in name else 0.0
            weight.normal_(mean, 0.2)
    return model.eval()


def make_model(architecture: str, folder: Path, *, vocabulary: str | None = None) -> Path:
    """Write config.json, model.safetensors, tokenizer.json and tokenizer_config.json.

    ``vocabulary`` names another architecture whose kind of tokenizer it has.
    """
    tokenizer = make_tokenizer(vocabulary or architecture)
    pad = next(t for t in ("[PAD]", "<pad>") if tokenizer.token_to_id(t) is not None)
    model = make_transformer(architecture, tokenizer.get_vocab_size(), tokenizer.token_to_id(pad))
    folder.mkdir(parents=True)
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    cls, sep = tokenizer.encode("").tokens
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": pad}
    settings |= {"cls_token": cls, "sep_token": sep}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def write_sentence_transformers(
    source: Path, folder: Path, *, pooling: dict, modules: tuple = (), settings: dict | None = None
) -> Path:
    """Write a sentence-transformers folder around a transformers one, by hand.

    ``modules`` are (name, config, tensors or None) that follow the pooling.
    """
    import shutil

    from safetensors.numpy import save_file

    shutil.copytree(source, folder)
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling")]
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling))
    for i, (kind, config, tensors) in enumerate(modules, 2):
        part = folder / f"{i}_{kind}"
        part.mkdir()
        (part / "config.json").write_text(json.dumps(config))
        if tensors:
            save_file(tensors, part / "model.safetensors")
        kinds.append((part.name, kind))
    entries = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(entries))
    settings = settings or {"max_seq_length": 32, "do_lower_case": False}
    (folder / "sentence_bert_config.json").write_text(json.dumps(settings))
    return folder
