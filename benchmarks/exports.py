"""Exports a model folder for the peers that want ONNX or OpenVINO files, from the same weights.

    python exports.py onnx MODEL_FOLDER TARGET        in the environment ``legacy``
    python exports.py openvino MODEL_FOLDER TARGET    in the environment ``peers``, after it

TARGET becomes a sentence-transformers folder without ``model.safetensors``, and with
``onnx/model.onnx``, the same with attention, GELU and LayerNorm fused by onnxruntime
(``model_fused.onnx``) and that with int8 matrices (``model_int8.onnx``, dynamic, per channel).
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_OUTPUT = "last_hidden_state"


def export_onnx(folder: Path, target: Path) -> None:
    """Write the three ONNX files and what belongs to them."""
    import torch
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers.optimizer import optimize_model
    from transformers import AutoModel

    class States(torch.nn.Module):
        """The states of the last layer, without the names of a model's output."""

        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: Any, mask: Any, types: Any) -> Any:
            """Return them."""
            return self.model(
                input_ids=ids, attention_mask=mask, token_type_ids=types
            ).last_hidden_state

    (target / "onnx").mkdir(parents=True, exist_ok=True)
    names = ("model.onnx", "model_fused.onnx", "model_int8.onnx")
    plain, fused, int8 = (str(target / "onnx" / name) for name in names)
    # eager: the fusion knows attention by its single steps
    model = AutoModel.from_pretrained(
        folder, attn_implementation="eager", add_pooling_layer=False
    ).eval()
    ids = torch.ones(2, 8, dtype=torch.long)
    axes = {0: "batch", 1: "length"}
    torch.onnx.export(
        States(model), (ids, torch.ones_like(ids), torch.zeros_like(ids)), plain,
        input_names=list(_INPUTS), output_names=[_OUTPUT], opset_version=17, dynamo=False,
        dynamic_axes=dict.fromkeys((*_INPUTS, _OUTPUT), axes),
    )  # fmt: skip
    config = model.config
    optimized = optimize_model(
        plain, model_type="bert", num_heads=config.num_attention_heads,
        hidden_size=config.hidden_size, opt_level=0,
    )  # fmt: skip
    optimized.save_model_to_file(fused)
    quantize_dynamic(
        fused, int8, weight_type=QuantType.QInt8, per_channel=True,
        op_types_to_quantize=["MatMul", "Attention"],
        extra_options={"DefaultTensorType": TensorProto.FLOAT},
    )  # fmt: skip
    copy_folder(folder, target)


def copy_folder(folder: Path, target: Path) -> None:
    """Copy all but the weights; limits and arguments become what every peer understands."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.copytree(path, target / path.name, dirs_exist_ok=True)
        elif path.suffix != ".safetensors":
            shutil.copy(path, target / path.name)
    settings = json.loads((folder / "sentence_bert_config.json").read_text("utf-8"))
    settings.pop("model_args", None)  # of the torch model's class, which the backends refuse
    limit = {"model_max_length": settings["max_seq_length"]}  # fastembed cuts where this says
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    write_settings(target / "sentence_bert_config.json", settings)
    write_settings(target / "tokenizer_config.json", {**tokenizer, **limit})


def write_settings(path: Path, settings: dict[str, Any]) -> None:
    """Write a JSON file."""
    path.write_text(json.dumps(settings, indent=2), "utf-8")


def export_openvino(target: Path) -> None:
    """Write OpenVINO's files beside ``onnx/model.onnx``, in float32."""
    import openvino

    model = openvino.convert_model(str(target / "onnx" / "model.onnx"))
    for tensor in model.inputs:
        tensor.get_tensor().set_names({tensor.get_any_name()})
    (target / "openvino").mkdir(exist_ok=True)
    path = target / "openvino" / "openvino_model.xml"
    openvino.save_model(model, str(path), compress_to_fp16=False)


def main() -> None:
    """Write one kind of files."""
    kind, folder, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if kind == "onnx":
        export_onnx(folder, target)
    else:
        export_openvino(target)


if __name__ == "__main__":
    main()
