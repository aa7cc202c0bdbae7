"""The parent's side: an encoder's process, and commands that are timed from outside."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
_SETTLING_SECONDS = 0.3  # threads of OpenMP and onnxruntime spin for a while after their work
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")


class WorkerError(RuntimeError):
    """A worker ended, or answered that it could not."""


def thread_variables(threads: int) -> dict[str, str]:
    """Return the environment variables that hold libraries to some threads."""
    return dict.fromkeys(_THREAD_VARIABLES, str(threads)) | {"TOKENIZERS_PARALLELISM": "true"}


class WorkerProcess:
    """A running worker.

    Parameters
    ----------
    interpreter
        The Python that runs it.
    variables
        Its whole environment.
    """

    def __init__(self, interpreter: str, variables: Mapping[str, str]) -> None:
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [interpreter, str(HERE / "worker.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._log, encoding="utf-8", env=dict(variables),
        )  # fmt: skip

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer to a message.

        Parameters
        ----------
        do
            What to do.
        **arguments
            With what.

        Returns
        -------
        dict[str, Any]
            What the worker answers.

        Raises
        ------
        WorkerError
            If it says ``error``, or says nothing any more.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            stdin.flush()
            line = stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkerError(f"ended with {self._process.wait()} at {do}: {self._said()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(str(answer["error"]))
        return answer

    def timed(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer to a message once the threads of other workers have settled."""
        time.sleep(_SETTLING_SECONDS)
        return self.ask(do, **arguments)

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()

    def _said(self) -> str:
        self._log.seek(0)
        return " | ".join(self._log.read().strip().splitlines()[-3:])


def time_command(command: Sequence[str], variables: Mapping[str, str]) -> dict[str, float]:
    """Return how long a command takes from start to end, and its peak memory.

    Parameters
    ----------
    command
        Program and arguments.
    variables
        Its whole environment.

    Returns
    -------
    dict[str, float]
        ``seconds`` and ``peak_memory_mb``.

    Raises
    ------
    WorkerError
        If it fails.
    """
    # A small process starts it: the peak that the system tells begins with the starter's own.
    run = subprocess.run(
        [sys.executable, "-I", "-S", str(HERE / "launch.py"), *command],
        capture_output=True, text=True, check=False, env=dict(variables), stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if run.returncode:
        raise WorkerError(f"{' '.join(command)[:200]}: {run.stderr.strip()[-300:]}")
    measured: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return measured
