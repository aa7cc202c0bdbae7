"""A model behind an OpenAI-compatible server, as an encoder: ours, or a peer's to compare with.

Source: OpenAI's API reference, "Create embeddings": ``POST /embeddings``.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import ipaddress
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from typing import Any
from urllib.parse import urljoin, urlsplit

import numpy as np
from numpy.typing import NDArray

from text2vec.arrays import FloatMatrix
from text2vec.errors import Text2VecError

__all__ = ["RemoteEncoder"]

_BATCH = 128
_TRIES = 4
_TIMEOUT_SECONDS = 120.0
_RETRIED = {408, 409, 429, 500, 502, 503, 504}
_REDIRECTS = {301, 302, 303, 307, 308}
_MAX_BYTES = 1 << 28
_MAX_WAIT_SECONDS = 20.0
_PROBE_DIGITS = 3


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Leaves a redirect as the error that it is: urllib would take the key along to any host."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing."""


class RemoteEncoder:
    """Encode by asking a server; no text goes anywhere but there.

    Parameters
    ----------
    url
        Base of the API, such as ``http://127.0.0.1:8000/v1``; http or https.
    model
        Name that the server knows; empty to leave it to the server.
    api_key
        Sent as a bearer token; None for the environment variable ``OPENAI_API_KEY``, "" for none.
        Over plain http it goes to this machine alone.
    batch_size
        Texts of one request.

    Raises
    ------
    ValueError
        If the address is no http address, or a key would go over plain http to another machine.
    Text2VecError
        If the server does not answer, or answers a redirect, an error or something else than
        embeddings.
    """

    def __init__(
        self, url: str, model: str = "", *, api_key: str | None = None, batch_size: int = _BATCH
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise ValueError(f"url is {url!r}; expected one like http://127.0.0.1:8000/v1")
        self._url = f"{url.rstrip('/')}/embeddings"
        self._model = model
        self._key = os.environ.get("OPENAI_API_KEY") if api_key is None else api_key
        is_local = _is_loopback(parts.hostname or "")
        if self._key and parts.scheme == "http" and not is_local:
            raise ValueError(
                f"url is {url!r}: plain http would show the API key to the network; expected "
                "https, or no key (unset OPENAI_API_KEY, or api_key='')"
            )
        # A proxy of the environment is for other machines.
        direct = [urllib.request.ProxyHandler({})] if is_local else []
        self._opener = urllib.request.build_opener(_NoRedirects, *direct)
        self._batch_size = batch_size
        probe = self._ask(["a", "How to replace the Huabei bundled bank card"])
        self.dim = probe.shape[1]
        rounded = np.round(probe, _PROBE_DIGITS).astype(np.float32) + 0.0  # no -0
        self._fingerprint = hashlib.sha256(rounded.tobytes()).hexdigest()

    @property
    def facts(self) -> dict[str, str]:
        """What a result must say of this model: address, name, and a checksum of its answers.

        The checksum is of two texts' vectors, rounded: it changes when the server holds another
        model, and may change when its arithmetic does.
        """
        return {"url": self._url, "name": self._model, "fingerprint": self._fingerprint}

    def encode(self, sentences: str | Iterable[str]) -> NDArray[Any]:
        """Return one row per text, shape ``(n_texts, dim)``; ``(dim,)`` for a single string."""
        texts = [sentences] if isinstance(sentences, str) else list(sentences)
        rows = np.empty((len(texts), self.dim), np.float32)
        for start in range(0, len(texts), self._batch_size):
            part = slice(start, start + self._batch_size)
            answer = self._ask(texts[part])
            if answer.shape[1] != self.dim:
                raise Text2VecError(f"{self._url}: rows of {answer.shape[1]} after {self.dim}")
            rows[part] = answer
        return rows[0] if isinstance(sentences, str) else rows

    def _ask(self, texts: list[str]) -> FloatMatrix:
        body: dict[str, Any] = {"input": texts, "encoding_format": "base64"}
        if self._model:
            body["model"] = self._model
        answer = self._post(json.dumps(body).encode())
        try:
            rows = sorted(json.loads(answer)["data"], key=lambda row: int(row["index"]))
            vectors = [_as_vector(row["embedding"]) for row in rows]
            return np.array(vectors, np.float32).reshape(len(texts), -1)
        except (ValueError, KeyError, TypeError) as exc:
            raise Text2VecError(
                f"{self._url}: expected {len(texts)} embeddings, found {answer[:200]!r}"
            ) from exc

    def _post(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self._url, body, headers, method="POST")
        for attempt in range(_TRIES - 1):
            content = self._try(request, is_last=False)
            if isinstance(content, bytes):
                return content
            time.sleep(_wait(content, attempt))
        content = self._try(request, is_last=True)
        return content if isinstance(content, bytes) else b""

    def _try(self, request: urllib.request.Request, *, is_last: bool) -> bytes | str:
        """Return the answer, or what a server that wants another try says of when."""
        try:
            with self._opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
                content: bytes = answer.read(_MAX_BYTES)
                return content
        except urllib.error.HTTPError as exc:
            if exc.code in _RETRIED and not is_last:
                return str(exc.headers.get("Retry-After") or "")
            if exc.code in _REDIRECTS:
                target = urljoin(self._url, str(exc.headers.get("Location") or ""))
                raise Text2VecError(
                    f"{self._url}: HTTP {exc.code} sends to {target!r}, which is not followed; "
                    "if you trust that address, give it as url, without /embeddings"
                ) from exc
            detail = exc.read(500).decode("utf-8", "replace")
            raise Text2VecError(f"{self._url}: HTTP {exc.code}: {detail}") from exc
        except (OSError, http.client.HTTPException) as exc:
            raise Text2VecError(f"{self._url} does not answer in HTTP: {exc!r}") from exc


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _as_vector(value: Any) -> NDArray[np.float32]:
    if isinstance(value, str):
        return np.frombuffer(base64.b64decode(value, validate=True), "<f4")
    return np.asarray(value, np.float32)


def _wait(asked: str, attempt: int) -> float:
    try:
        seconds = float(asked or 2**attempt)
    except ValueError:
        seconds = float(2**attempt)
    return min(max(seconds, 0.0), _MAX_WAIT_SECONDS)
