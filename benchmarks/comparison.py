"""Encoders taking turns: who sits together, and what each is asked in which order."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from environments import Environments, MissingEnvironmentError, offline_variables
from figures import count_flop, measure_cosines, summarize_calls, summarize_rounds
from peers import BASELINE, OURS, Peer
from processes import HERE, WorkerError, WorkerProcess, thread_variables, time_command
from workloads import WHOLE, Workload

ANCHORS = (BASELINE, OURS)
"""These sit in every party, so that everything is compared with them in the same rounds."""


@dataclass(frozen=True)
class Settings:
    """What the user chose, and where things lie."""

    folder: Path
    prototype: Path | None
    families: tuple[str, ...]
    threads: int
    n_rounds: int
    n_calls: int
    n_together: int
    chosen: tuple[str, ...]
    environments: Environments


@dataclass
class Taken:
    """What was measured of one encoder, by workload and by round."""

    seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    calls: dict[int, list[float]] = field(default_factory=dict)
    cold: list[dict[str, float]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def make_parties(rows: Sequence[Peer], n_together: int) -> list[list[Peer]]:
    """Return who takes turns with whom.

    Parameters
    ----------
    rows
        The chosen encoders.
    n_together
        Most processes that are open at a time, as long as a family is no larger.

    Returns
    -------
    list[list[Peer]]
        The anchors that were chosen sit in each party; encoders held to one family together.
    """
    anchors = [row for row in rows if row.name in ANCHORS]
    others = [row for row in rows if row.name not in ANCHORS]
    free = [row for row in others if not row.family]
    size = max(n_together - len(anchors), 1)
    parties = [free[start : start + size] for start in range(0, len(free), size)]
    families = dict.fromkeys(row.family for row in others if row.family)
    parties += [[row for row in others if row.family == family] for family in families]
    return [[*anchors, *party] for party in parties or [[]]]


class Comparison:
    """Runs the parties and keeps what was measured.

    Parameters
    ----------
    settings
        What to run.
    workloads
        Texts by workload, and ``check``.
    references
        Our float32 vectors of ``check`` by prompt.
    save
        Called whenever there is something new.
    """

    def __init__(
        self,
        settings: Settings,
        workloads: Mapping[str, Workload],
        references: Mapping[str, Sequence[Any]],
        save: Callable[[], None],
    ) -> None:
        self._settings, self._workloads = settings, workloads
        self._references, self._save = references, save
        self.taken: dict[str, Taken] = {}
        self.skipped: dict[str, str] = {}
        self.rows: dict[str, Peer] = {}

    def run(self, rows: Sequence[Peer]) -> None:
        """Measure all encoders."""
        for number, party in enumerate(make_parties(rows, self._settings.n_together)):
            with ExitStack() as stack:
                self._run_party(f"party {number + 1}", party, stack)
        if "cold" in self._settings.chosen:
            for name in list(self.taken):
                self._try(name, lambda name=name: self._measure_cold(name))  # type: ignore[misc]

    def _run_party(self, party: str, rows: Sequence[Peer], stack: ExitStack) -> None:
        seats: dict[str, WorkerProcess] = {}
        for row in rows:
            if row.name not in self.skipped:
                say(f"{party}: opening {row.name}")
                self._try(row.name, lambda row=row: self._take_seat(row, seats, stack))  # type: ignore[misc]
        for workload in [name for name in WHOLE if name in self._settings.chosen]:
            for number in range(self._settings.n_rounds):
                say(f"{party}: {workload}, round {number + 1}")
                for name in self._present(seats):
                    self._time_texts(name, seats[name], workload, f"{party}, {number + 1}")
            self._save()
        for name in self._present(seats):
            self._note_memory(name, seats[name])
        if "latency" in self._settings.chosen:
            say(f"{party}: one text at a time")
            for _ in range(self._settings.n_rounds):
                for name in self._present(seats):
                    self._time_calls(name, seats[name], self._settings.threads)
        self._compare_threads(party, seats)
        self._save()

    def _compare_threads(self, party: str, seats: Mapping[str, WorkerProcess]) -> None:
        if self._settings.threads == 1 or not {"latency", "threads"} & set(self._settings.chosen):
            return
        for name in self._present(seats):
            taken = self.taken[name]
            if 1 not in taken.calls and "1" not in taken.seconds:  # anchors sit in every party
                say(f"{party}: one thread of {name}")
                self._try(name, lambda name=name: self._time_one_thread(name, seats[name]))  # type: ignore[misc]

    def _present(self, seats: Mapping[str, WorkerProcess]) -> list[str]:
        return [name for name in seats if name not in self.skipped]

    def _try(self, name: str, act: Callable[[], None]) -> None:
        try:
            act()
        except (WorkerError, MissingEnvironmentError, ValueError, OSError) as exc:
            self.skipped[name] = str(exc)
            say(f"skipped: {name}: {exc}")

    def _variables(self, row: Peer, threads: int) -> dict[str, str]:
        return offline_variables({**thread_variables(threads), **row.variables})

    def _opening(self, row: Peer, threads: int) -> dict[str, Any]:
        exports = self._settings.environments.exports(self._settings.folder) if row.exported else ""
        return {
            "name": row.name,
            "families": list(self._settings.families),
            "folder": str(self._settings.folder),
            "exports": str(exports),
            "prototype": str(self._settings.prototype or ""),
            "threads": threads,
        }

    def _open(self, row: Peer, threads: int, stack: ExitStack) -> tuple[WorkerProcess, Any]:
        opening = self._opening(row, threads)
        python = self._settings.environments.interpreter(row.environment)
        worker = WorkerProcess(python, self._variables(row, threads))
        stack.callback(worker.close)
        said = worker.ask("open", **opening)
        for key, workload in self._workloads.items():
            worker.ask("keep", key=key, texts=list(workload.texts))
        return worker, said

    def _take_seat(self, row: Peer, seats: dict[str, WorkerProcess], stack: ExitStack) -> None:
        worker, said = self._open(row, self._settings.threads, stack)
        vectors = worker.ask("vectors", key="check")["vectors"]
        if not row.cuts:  # nothing long can be compared
            lengths = self._workloads["check"].lengths
            kept = [i for i, n in enumerate(lengths) if n < max(lengths)]
        else:
            kept = list(range(len(vectors)))
        reference = self._references[row.prompt]
        cosines = measure_cosines([vectors[i] for i in kept], [reference[i] for i in kept])
        if cosines["mean"] < row.least_cosine:
            raise ValueError(f"cosine {cosines['mean']:.5f} to ours; expected {row.least_cosine}")
        seats[row.name] = worker
        self.rows[row.name] = row
        taken = self.taken.setdefault(row.name, Taken())
        taken.facts = {
            "cosine": {**cosines, "n_texts": len(kept)},
            "opening_seconds": said["seconds"],
            "versions": said["versions"],
            "facts": said["facts"],
        }

    def _time_texts(self, name: str, worker: WorkerProcess, workload: str, key: str) -> None:
        if workload == "long" and not self.rows[name].cuts:
            return
        asked = {"key": workload, "batch_size": self._workloads[workload].batch_size}

        def act() -> None:
            rounds = self.taken[name].seconds.setdefault(workload, {})
            rounds[key] = worker.timed("encode", **asked)["seconds"]

        self._try(name, act)

    def _time_calls(self, name: str, worker: WorkerProcess, threads: int) -> None:
        calls = max(self._settings.n_calls // self._settings.n_rounds, 1)

        def act() -> None:
            found = worker.timed("latency", key="one", calls=calls)["milliseconds"]
            self.taken[name].calls.setdefault(threads, []).extend(found)

        self._try(name, act)

    def _time_one_thread(self, name: str, all_threads: WorkerProcess) -> None:
        with ExitStack() as stack:
            single, _ = self._open(self.rows[name], 1, stack)
            single.ask("vectors", key="check")
            for number in range(self._settings.n_rounds):
                if "threads" in self._settings.chosen:
                    for threads, worker in ((self._settings.threads, all_threads), (1, single)):
                        found = worker.timed("encode", key="threads", batch_size=0)
                        rounds = self.taken[name].seconds.setdefault(str(threads), {})
                        rounds[str(number + 1)] = found["seconds"]
                if "latency" in self._settings.chosen:
                    self._time_calls(name, single, 1)

    def _note_memory(self, name: str, worker: WorkerProcess) -> None:
        def act() -> None:
            self.taken[name].facts["peak_memory_mb"] = worker.ask("keep", key="", texts=[])[
                "peak_memory_mb"
            ]

        self._try(name, act)

    def _measure_cold(self, name: str) -> None:
        say(f"cold start of {name}")
        row, threads = self.rows[name], self._settings.threads
        python = self._settings.environments.interpreter(row.environment)
        opening = json.dumps({"do": "open", **self._opening(row, threads)})
        command = [python, str(HERE / "worker.py"), "--once", opening]
        variables = self._variables(row, threads)
        for _ in range(self._settings.n_rounds):
            self.taken[name].cold.append(time_command(command, variables))
        self._save()

    def report(self, config: Mapping[str, Any], rates: Mapping[str, float]) -> dict[str, Any]:
        """Return every encoder's figures, as JSON carries them.

        Parameters
        ----------
        config
            The model's ``config.json``.
        rates
            Operations per second of the machine, by precision.

        Returns
        -------
        dict[str, Any]
            By the encoder's name.
        """
        return {name: self._report_one(name, config, rates) for name in self.taken}

    def _report_one(
        self, name: str, config: Mapping[str, Any], rates: Mapping[str, float]
    ) -> dict[str, Any]:
        row, taken = self.rows[name], self.taken[name]
        found: dict[str, Any] = {
            "dtype": row.dtype,
            "environment": row.environment,
            "variables": dict(row.variables),
            "family": row.family,
            **taken.facts,
            "workloads": {},
        }
        for workload in [key for key in WHOLE if key in taken.seconds]:
            lengths = self._workloads[workload].lengths
            others = {
                other: self.taken[other].seconds.get(workload, {})
                for other in self.taken
                if other in ANCHORS or other == f"{BASELINE}, {row.family}"
            }
            figures = summarize_rounds(taken.seconds[workload], others, lengths)
            if row.dtype in rates:
                spent = statistics.median(taken.seconds[workload].values())
                rate = count_flop(config, lengths) / spent
                figures["share_of_machine"] = rate / rates[row.dtype]
            found["workloads"][workload] = figures
        many = str(self._settings.threads)
        if {"1", many} <= set(taken.seconds) and many != "1":
            lengths = self._workloads["threads"].lengths
            others = {"one thread": taken.seconds["1"]}
            found["threads"] = summarize_rounds(taken.seconds[many], others, lengths)
        found["one_text_ms"] = {
            str(threads): summarize_calls(calls) for threads, calls in taken.calls.items()
        }
        if taken.cold:
            found["cold"] = summarize_cold(taken.cold)
        return found


def summarize_cold(runs: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Return the median time of some runs, their highest peak memory, and each run's."""
    return {
        "seconds": statistics.median(run["seconds"] for run in runs),
        "peak_memory_mb": max(run["peak_memory_mb"] for run in runs),
        "runs": [dict(run) for run in runs],
    }


def say(text: str) -> None:
    """Tell on standard error how far the run is."""
    print(text, file=sys.stderr, flush=True)
