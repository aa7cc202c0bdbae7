"""One encoder in a process of its own, told what to do by JSON lines on standard input.

Import names, environment variables, threads and memory of encoders do not mix this way. Each
line is an object with ``do`` (open, keep, encode, vectors, latency, quit) and its arguments; the
answer is a line with the result, or with ``error``. Runs in each peer's own environment, so it
needs only numpy. ``python worker.py --once JSON`` opens an encoder, encodes one text and ends.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO

from peers import Encode, Opening, list_peers


def peak_memory_mb() -> float | None:
    """Return the most memory that this process ever held; None where the system does not tell."""
    try:
        found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))
    except OSError:
        return None
    return int(found[1]) / 1024 if found else None


def read_versions(packages: Iterable[str]) -> dict[str, str | None]:
    """Return the version of each package, None for one that is not there."""
    return {package: _version(package) for package in packages}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def open_encoder(message: dict[str, Any]) -> tuple[Encode, dict[str, Any]]:
    """Return the encode function of the row that a message names, and what is to be said of it.

    Parameters
    ----------
    message
        ``name``, ``families``, ``folder``, ``exports``, ``prototype`` and ``threads``.

    Returns
    -------
    tuple[Encode, dict[str, Any]]
        The function; versions and facts.

    Raises
    ------
    ModuleNotFoundError
        If a package is missing; the message names it.
    """
    row = next(row for row in list_peers(message["families"]) if row.name == message["name"])
    versions = read_versions(row.packages)
    missing = [package for package, version in versions.items() if version is None]
    if missing:
        raise ModuleNotFoundError(f"{', '.join(missing)} not installed in {sys.prefix}")
    prototype = message.get("prototype")
    opening = Opening(
        Path(message["folder"]),
        Path(message["exports"]),
        Path(prototype) if prototype else None,
        int(message["threads"]),
    )
    encode = row.start(opening)
    return encode, {"versions": versions, "facts": getattr(encode, "facts", {})}


class Worker:
    """Answers messages.

    Parameters
    ----------
    find
        Opens the encoder that a message names.
    clock
        Seconds, ever growing.
    """

    def __init__(
        self,
        find: Callable[[dict[str, Any]], tuple[Encode, dict[str, Any]]] = open_encoder,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._find, self._clock = find, clock
        self._texts: dict[str, list[str]] = {}
        self._encode: Encode | None = None

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to one message; every fault is an answer too."""
        try:
            result = getattr(self, f"_do_{message['do']}")(message)
        except Exception as exc:  # noqa: BLE001 - whatever a peer raises is reported, and not ours
            traceback.print_exc()
            return {"error": f"{type(exc).__name__}: {exc}"}
        return {**result, "peak_memory_mb": peak_memory_mb()}

    def _do_open(self, message: dict[str, Any]) -> dict[str, Any]:
        start = self._clock()
        self._encode, said = self._find(message)
        return {"seconds": self._clock() - start, **said}

    def _do_keep(self, message: dict[str, Any]) -> dict[str, Any]:
        self._texts[message["key"]] = list(message["texts"])
        return {}

    def _do_encode(self, message: dict[str, Any]) -> dict[str, Any]:
        return {"seconds": self._seconds(self._texts[message["key"]], message["batch_size"])}

    def _do_latency(self, message: dict[str, Any]) -> dict[str, Any]:
        texts = self._texts[message["key"]]
        calls = range(int(message["calls"]))
        return {"milliseconds": [1000 * self._seconds(texts[:1], 0) for _ in calls]}

    def _do_vectors(self, message: dict[str, Any]) -> dict[str, Any]:
        prompt = message.get("prompt", "")
        texts = [prompt + text for text in self._texts[message["key"]]]
        rows = self._opened(texts, 0)
        return {"vectors": [[float(value) for value in row] for row in rows]}

    def _do_quit(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"quit": True}

    def _opened(self, texts: Sequence[str], batch_size: int) -> Any:
        if self._encode is None:
            raise RuntimeError("nothing is open")
        return self._encode(texts, batch_size)

    def _seconds(self, texts: Sequence[str], batch_size: int) -> float:
        start = self._clock()
        self._opened(texts, batch_size)
        return max(self._clock() - start, 1e-9)


def serve(worker: Worker, lines: Iterable[str], answers: TextIO) -> None:
    """Answer each line until one says quit or there are no more."""
    for line in lines:
        answer = worker.answer(json.loads(line))
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        if answer.get("quit"):
            return


def main() -> None:
    """Serve standard input, or encode one text."""
    # What libraries print goes to standard error: standard output carries answers alone.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    worker = Worker()
    if sys.argv[1:2] == ["--once"]:
        opened = worker.answer(json.loads(sys.argv[2]))
        worker.answer({"do": "keep", "key": "one", "texts": ["hello"]})
        encoded = worker.answer({"do": "encode", "key": "one", "batch_size": 0})
        raise SystemExit(opened.get("error") or encoded.get("error"))
    serve(worker, sys.stdin, answers)


if __name__ == "__main__":
    main()
