"""Which engine computes a model: the table of engines, and the choice that ``auto`` makes.

A new engine is a file beside this one and a row in ``ENGINES``.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from text2vec.engines.base import Engine
from text2vec.engines.pooling import DenseLayer, Head
from text2vec.engines.reference import ReferenceEngine
from text2vec.engines.threads import resolve_threads
from text2vec.errors import MissingExtraError
from text2vec.models.checkpoint import Weights, load_dense, load_weights
from text2vec.models.spec import ModelSpec

__all__ = ["ENGINES", "EngineRequest", "open_engine"]


@dataclass(frozen=True)
class EngineRequest:
    """What the caller asks of an engine.

    Attributes
    ----------
    engine
        Row of ``ENGINES``, or ``auto``.
    dtype
        ``float32``, or what the engine offers beside it, or ``auto``.
    device
        ``cpu``, or a device of PyTorch; None for the CPU.
    num_threads
        None for all processors that this process may use.
    """

    engine: str = "auto"
    dtype: str = "auto"
    device: str | None = None
    num_threads: int | None = None

    @property
    def on_cpu(self) -> bool:
        """Whether the CPU is asked for."""
        return self.device is None or self.device == "cpu"


def _open_reference(spec: ModelSpec, request: EngineRequest, head: Head) -> Engine:
    if spec.shape is None:
        raise _unknown_architecture(spec)
    if request.dtype not in {"auto", "float32"}:
        raise ValueError(f"engine 'reference' has no dtype {request.dtype!r}; expected float32")
    if not request.on_cpu:
        raise ValueError(f"engine 'reference' has no device {request.device!r}; expected cpu")
    weights: Weights = load_weights(spec.body, spec.shape)
    return ReferenceEngine(spec.shape, weights, head, resolve_threads(request.num_threads))


def _open_torch(spec: ModelSpec, request: EngineRequest, head: Head) -> Engine:
    from text2vec.engines.pytorch import open_torch_engine

    return open_torch_engine(
        spec.body,
        head,
        dtype="float32" if request.dtype == "auto" else request.dtype,
        device=request.device,
        num_threads=request.num_threads,
    )


ENGINES: Mapping[str, Callable[[ModelSpec, EngineRequest, Head], Engine]] = MappingProxyType({
    "reference": _open_reference,
    "torch": _open_torch,
})
"""Name in ``SentenceModel(engine=...)`` -> function that opens it."""


def open_engine(spec: ModelSpec, request: EngineRequest) -> Engine:
    """Return an engine that holds the model's weights.

    Parameters
    ----------
    spec
        The model.
    request
        What the caller asks. ``auto`` takes our own engine on a CPU, and PyTorch for other devices
        and for architectures that our own does not know.

    Returns
    -------
    Engine
        Ready to embed.

    Raises
    ------
    ValueError
        If the engine is unknown or lacks the dtype or device.
    ModelFormatError
        If the weights are wrong.
    MissingExtraError
        If PyTorch is needed and not installed.
    """
    if request.engine != "auto" and request.engine not in ENGINES:
        raise ValueError(
            f"unknown engine {request.engine!r}; expected auto or one of {', '.join(ENGINES)}"
        )
    name = request.engine
    if name == "auto":
        name = "reference" if spec.shape is not None and request.on_cpu else "torch"
        if name == "torch" and importlib.util.find_spec("torch") is None:
            raise MissingExtraError(f"{_why_torch(spec, request)}; pip install 'text2vec[torch]'")
    dense = tuple(DenseLayer(*load_dense(layer), layer.activation) for layer in spec.dense)
    return ENGINES[name](spec, request, Head(spec.pooling, dense, spec.normalize))


def _why_torch(spec: ModelSpec, request: EngineRequest) -> str:
    if not request.on_cpu:
        return f"device {request.device!r} needs PyTorch"
    return f"model_type {spec.config.get('model_type')!r} needs PyTorch"


def _unknown_architecture(spec: ModelSpec) -> ValueError:
    return ValueError(
        f"engine 'reference' does not know model_type {spec.config.get('model_type')!r}; "
        "use engine='torch'"
    )
