"""What is kept and shown while a run goes on, and how it is stopped without losing anything."""

from __future__ import annotations

import csv
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

__all__ = ["ConsoleLog", "CsvLog", "StopSignal", "caught_signals"]

_COLUMNS = ("step", "seconds", "name", "value")
_SHOWN = ("loss", "grad_norm", "learning_rate")


class CsvLog(TrainerCallback):  # type: ignore[misc]
    """Every logged number as a row ``step, seconds, name, value`` of ``log.csv``.

    Parameters
    ----------
    path
        The file; a resumed run adds to it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._started = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Write one row for each number."""
        del args, control
        if not state.is_world_process_zero:
            return
        new = not self._path.exists()
        seconds = f"{time.monotonic() - self._started:.1f}"
        with self._path.open("a", newline="", encoding="utf-8") as stream:
            rows = csv.writer(stream)
            if new:
                rows.writerow(_COLUMNS)
            for name, value in (logs or {}).items():
                rows.writerow((state.global_step, seconds, name, value))


class ConsoleLog(TrainerCallback):  # type: ignore[misc]
    """A line on stderr for each log: step, loss, rows per second, what is left."""

    def __init__(self, n_rows: Any) -> None:
        self._n_rows = n_rows
        self._first: tuple[int, float] | None = None

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock at the first step of this process."""
        del args, control
        if self._first is None:
            self._first = (state.global_step, time.monotonic())

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Write one line."""
        del args, control
        if not state.is_world_process_zero or not logs or "train_runtime" in logs:
            return
        parts = [f"step {state.global_step}/{state.max_steps}"]
        parts += [f"{k} {float(v):.4g}" for k, v in logs.items() if k in _SHOWN or "eval_" in k]
        if self._first and "loss" in logs and state.global_step > self._first[0]:
            first, started = self._first
            seconds = time.monotonic() - started
            left = seconds / (state.global_step - first) * (state.max_steps - state.global_step)
            parts.append(f"{self._n_rows(first, state.global_step) / seconds:.1f} rows/s")
            parts.append(f"{left / 60:.1f} min left")
        sys.stderr.write("  ".join(parts) + "\n")
        sys.stderr.flush()


class StopSignal(TrainerCallback):  # type: ignore[misc]
    """Ends a run after the step that is under way, with a checkpoint.

    Parameters
    ----------
    stop_after
        Also after this step; 0 for none.
    """

    def __init__(self, stop_after: int = 0) -> None:
        self.number: int | None = None
        self.stop_after = stop_after

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Ask for a checkpoint and the end, once a signal has come or enough is done."""
        del args
        if self.number is not None or state.global_step == self.stop_after:
            control.should_save = control.should_training_stop = True
        return control


@contextmanager
def caught_signals(stop: StopSignal) -> Iterator[None]:
    """Let the first Ctrl-C or polite kill end the run after its step; a second ends it at once.

    Parameters
    ----------
    stop
        Is told which signal came.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def catch(number: int, _: Any) -> None:
        stop.number = number
        sys.stderr.write("stopping after this step, with a checkpoint; once more stops at once\n")
        for old, handler in previous.items():
            signal.signal(old, handler)

    for number in previous:
        signal.signal(number, catch)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
