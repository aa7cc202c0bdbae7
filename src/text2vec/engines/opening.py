"""Which engine computes a model: the table of engines, and the choice that ``auto`` makes.

A new engine is a file beside this one and a row in ``ENGINES``. ``auto`` takes, on a CPU, the
native engine where it is built and knows the model, else the numpy engine; PyTorch for other
devices and for architectures that neither knows. Its dtype is the precision in which the files
keep the matrices: int8 for a compact folder (on the native engine), float32 for all others. A lower
one is asked for by name, and ``SentenceModel.agreement`` says what it costs.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from text2vec.engines.base import Engine
from text2vec.engines.native import NativeEngine, native_problem, native_supports
from text2vec.engines.pooling import ACTIVATIONS, DenseLayer, Head
from text2vec.engines.reference import ReferenceEngine
from text2vec.engines.threads import resolve_threads
from text2vec.errors import MissingExtraError
from text2vec.models.architectures import TransformerShape
from text2vec.models.checkpoint import load_dense, load_weights
from text2vec.models.saved_folder import transformers_body
from text2vec.models.spec import ModelSpec

__all__ = ["ENGINES", "EngineRequest", "engine_notes", "open_engine"]


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
        ``cpu``, or a device of PyTorch; None for the CPU, or what PyTorch finds where it is used.
    num_threads
        None for all processors that this process may use.
    kernels
        A kernel family of the native engine, or ``auto`` for the best that the machine runs.
    """

    engine: str = "auto"
    dtype: str = "auto"
    device: str | None = None
    num_threads: int | None = None
    kernels: str = "auto"

    @property
    def on_cpu(self) -> bool:
        """Whether the CPU is asked for."""
        return self.device is None or str(self.device).partition(":")[0] == "cpu"


def _open_native(spec: ModelSpec, request: EngineRequest, head: Head) -> Engine:
    shape = _known_shape("native", spec, request)
    return NativeEngine(
        shape,
        load_weights(spec.body, shape),
        head,
        dtype=spec.stored_dtype if request.dtype == "auto" else request.dtype,
        kernels=request.kernels,
        num_threads=resolve_threads(request.num_threads),
    )


def _open_reference(spec: ModelSpec, request: EngineRequest, head: Head) -> Engine:
    shape = _known_shape("reference", spec, request)
    if request.dtype not in {"auto", "float32"}:
        raise ValueError(f"engine 'reference' has no dtype {request.dtype!r}; expected float32")
    threads = resolve_threads(request.num_threads)
    return ReferenceEngine(shape, load_weights(spec.body, shape), head, threads)


def _open_torch(spec: ModelSpec, request: EngineRequest, head: Head) -> Engine:
    from text2vec.engines.pytorch import open_torch_engine

    with transformers_body(spec) as body:
        return open_torch_engine(
            body,
            head,
            dtype="float32" if request.dtype == "auto" else request.dtype,
            device=request.device,
            num_threads=request.num_threads,
        )


ENGINES: Mapping[str, Callable[[ModelSpec, EngineRequest, Head], Engine]] = MappingProxyType({
    "native": _open_native,
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
        What the caller asks; see the module's first lines for ``auto``.

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
        name = _choose(spec, request)
        if name == "torch" and importlib.util.find_spec("torch") is None:
            raise MissingExtraError(f"{_why_torch(spec, request)}; pip install 'text2vec[torch]'")
    if request.kernels != "auto" and name != "native":
        raise ValueError(
            f"engine {name!r} has no kernels {request.kernels!r}; expected kernels='auto', or "
            "engine='native'"
        )
    dense = tuple(DenseLayer(*load_dense(layer), layer.activation) for layer in spec.dense)
    return ENGINES[name](spec, request, Head(spec.pooling, dense, spec.normalize))


def engine_notes(engine: Engine) -> list[str]:
    """Return what a user should know about the engine and precision that serve.

    Parameters
    ----------
    engine
        An opened engine.

    Returns
    -------
    list[str]
        Sentences; none if there is nothing to say.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> engine_notes(SimpleNamespace(name="native", dtype="int8"))[0].partition(";")[0]
    'int8 loses a little'
    """
    notes = []
    problem = native_problem() if engine.name == "reference" else None
    if problem is not None:
        notes.append(f"slower than it could be: {problem}")
    portable = getattr(engine, "kernels", "").startswith("portable/")
    if portable:
        notes.append(
            "portable kernels: made for no processor in particular, they run on each and are slow; "
            "int8 saves them memory, not time"
        )
    if engine.dtype != "float32":
        notes.append(
            f"{engine.dtype} loses a little; model.agreement(texts) or "
            "'text2vec info --agreement FILE' says how much"
        )
    elif engine.name == "native" and not portable:
        notes.append("float32 loses nothing; dtype int8 is faster and loses a little")
    return notes


def _choose(spec: ModelSpec, request: EngineRequest) -> str:
    if spec.shape is None or spec.shape.activation not in ACTIVATIONS or not request.on_cpu:
        return "torch"
    asks_for_native = request.dtype in {"bfloat16", "int8"} or request.kernels != "auto"
    if asks_for_native or (native_problem() is None and native_supports(spec.shape)):
        return "native"
    return "reference"


def _why_torch(spec: ModelSpec, request: EngineRequest) -> str:
    if not request.on_cpu:
        return f"device {request.device!r} needs PyTorch"
    if spec.shape is not None:
        return f"activation {spec.shape.activation!r} needs PyTorch"
    return f"model_type {spec.config.get('model_type')!r} needs PyTorch"


def _known_shape(engine: str, spec: ModelSpec, request: EngineRequest) -> TransformerShape:
    if spec.shape is None:
        raise ValueError(
            f"engine {engine!r} does not know model_type {spec.config.get('model_type')!r}; "
            "use engine='torch'"
        )
    if not request.on_cpu:
        raise ValueError(f"engine {engine!r} has no device {request.device!r}; expected cpu")
    return spec.shape
