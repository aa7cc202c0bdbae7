"""The peers' environments and exported files: made on first use, kept in a cache folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"  # every cold start would compile a package's files anew
REQUIREMENTS = {"peers": HERE / "peers.txt", "legacy": HERE / "peers-legacy.txt"}


class MissingEnvironmentError(RuntimeError):
    """An environment or export cannot be had; the message says which command makes it."""


def run_command(command: Sequence[str], log: Path) -> None:
    """Run a command whose output goes to a file.

    Parameters
    ----------
    command
        Program and arguments.
    log
        Appended to.

    Raises
    ------
    MissingEnvironmentError
        If it fails; the message has the command and the end of what it said.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as stream:
        code = subprocess.run(
            command, stdout=stream, stderr=stream, check=False, env=offline_variables({})
        ).returncode
    if code:
        end = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        shown = " ".join(command)
        raise MissingEnvironmentError(f"exit status {code} of: {shown}: {' '.join(end)}")


def offline_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with some more, and without any model hub."""
    quiet = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "DO_NOT_TRACK": "1"}
    own = {key: value for key, value in os.environ.items() if key != _NO_BYTECODE}
    return {**own, **quiet, **variables}


class Environments:
    """Interpreters and exported files by name.

    Parameters
    ----------
    cache
        Folder that keeps them.
    install
        Whether what is not there may be made.
    """

    def __init__(self, cache: Path, *, install: bool) -> None:
        self.cache, self.install = cache, install
        self._faults: dict[str, str] = {}

    @property
    def log(self) -> Path:
        """Where the output of pip and of the exports goes."""
        return self.cache / "log.txt"

    def interpreter(self, name: str) -> str:
        """Return the Python of an environment.

        Parameters
        ----------
        name
            ``own``, ``peers`` or ``legacy``.

        Returns
        -------
        str
            Its path.
        """
        if name == "own":
            return sys.executable
        folder = self.cache / name
        python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        stamp = folder / "requirements.sha256"
        wanted = _checksum(REQUIREMENTS[name])
        if not stamp.is_file() or stamp.read_text("ascii") != wanted:
            pip = [str(python), "-m", "pip", "install", "--no-deps", "-r", str(REQUIREMENTS[name])]
            hint = f"{sys.executable} -m venv {folder} && {' '.join(pip)}"
            self._make(name, hint, lambda: _make_environment(folder, pip, self.log))
            stamp.write_text(wanted, "ascii")
        return str(python)

    def exports(self, model: Path) -> Path:
        """Return the folder of a model's exported files.

        Parameters
        ----------
        model
            Its folder.

        Returns
        -------
        Path
            Named by the size and time of the weights and by the file that exports.
        """
        weights = (model / "model.safetensors").stat()
        source = (HERE / "exports.py").read_bytes()
        facts = f"{model} {weights.st_size} {weights.st_mtime_ns} ".encode()
        target = self.cache / "exports" / hashlib.sha256(facts + source).hexdigest()[:16]
        if not target.is_dir():
            work = target.with_name(target.name + ".partial")
            steps = [
                [self.interpreter(name), str(HERE / "exports.py"), kind, str(model), str(work)]
                for name, kind in (("legacy", "onnx"), ("peers", "openvino"))
            ]

            def export() -> None:
                shutil.rmtree(work, ignore_errors=True)
                for step in steps:
                    run_command(step, self.log)
                work.rename(target)

            self._make("exports", " && ".join(" ".join(step) for step in steps), export)
        return target

    def _make(self, name: str, hint: str, make: Callable[[], None]) -> None:
        if name in self._faults:
            raise MissingEnvironmentError(self._faults[name])
        if not self.install:
            raise MissingEnvironmentError(f"{name} is not there; make it with: {hint}")
        try:
            print(f"making {name} in {self.cache}", file=sys.stderr)
            make()
        except MissingEnvironmentError as fault:
            self._faults[name] = str(fault)
            raise


def _checksum(requirements: Path) -> str:
    lines = requirements.read_text("utf-8").splitlines()
    pins = "\n".join(sorted(line for line in lines if line and not line.startswith("#")))
    return hashlib.sha256(pins.encode()).hexdigest()


def _make_environment(folder: Path, pip: Sequence[str], log: Path) -> None:
    run_command([sys.executable, "-m", "venv", "--clear", str(folder)], log)
    run_command(pip, log)
