"""Our engines and their peers side by side: same weights, texts, threads and machine, in turns.

    python benchmarks/encode.py [--data DIR] [--kernels avx512 avx2] [--json FILE] [--chart FILE]

Each encoder runs in a process of its own; within a round one after the other encodes the same
texts, from strings to vectors, and ratios are taken within a round. No encoder is timed whose
vectors are not ours. Peers' packages are installed on first use into ``--cache``; what cannot
run is skipped and said at the end. Stop it at any time: files are whole, or not there.
"""

from __future__ import annotations

import argparse
import datetime
import fnmatch
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from comparison import Comparison, Settings, say, summarize_cold
from environments import Environments, offline_variables
from peers import Peer, list_peers
from processes import HERE, WorkerError, thread_variables, time_command
from speed_table import draw_chart, format_table
from workloads import N_TEXTS, WORKLOADS, Workload, choose_workloads

from text2vec import SentenceModel
from text2vec.engines.threads import available_cpus
from text2vec.files.text_file import write_json, write_text
from text2vec.machine import read_machine, read_versions
from text2vec.models.base_model.builder import build_base_model
from text2vec.models.locate import cache_home

_DATA_VARIABLE = "TEXT2VEC_DATA"
_DTYPES = ("float32", "int8")  # of the command line's cold start
_KEPT_VARIABLES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "LD_PRELOAD", "TEXT2VEC_KERNELS")
"""What changes speeds; set or not, it is reported."""


def read_arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data = os.environ.get(_DATA_VARIABLE)
    add = parser.add_argument
    add(
        "--data",
        type=Path,
        default=data,
        help=f"data folder (default: {_DATA_VARIABLE}, else made)",
    )
    add(
        "--model", type=Path, help="folder of the model (default: the base model, built if need be)"
    )
    add("--rounds", type=int, default=3)
    add("--n-texts", type=int, default=N_TEXTS, help="short texts; long ones: a sixteenth")
    add("--calls", type=int, default=300, help="of one text, for its latency")
    add("--threads", type=int, default=available_cpus())
    add("--kernels", nargs="*", default=[], help="families that ours and the baseline are held to")
    add("--only", nargs="*", default=[], metavar="NAME", help="encoders; * and ? are allowed")
    add("--workloads", nargs="*", default=list(WORKLOADS), choices=WORKLOADS)
    add("--prototype", type=Path, help="folder of a prototype's encoder.cpp")
    add("--cache", type=Path, default=cache_home() / "benchmarks", help="environments, exports")
    add("--no-install", action="store_true", help="make no environments and exports")
    add("--together", type=int, default=8, help="most processes that are open at a time")
    add("--list", action="store_true", help="only list the encoders")
    add("--json", type=Path, help="file to write")
    add("--chart", type=Path, help="SVG file to write")
    arguments = parser.parse_args()
    if min(arguments.rounds, arguments.n_texts, arguments.calls, arguments.threads) < 1:
        parser.error("rounds, texts, calls and threads must be 1 or more")
    return arguments


def choose_peers(arguments: argparse.Namespace) -> list[Peer]:
    """Return the rows that are asked for.

    Parameters
    ----------
    arguments
        ``only`` and ``kernels``.

    Returns
    -------
    list[Peer]
        In the order of the table.

    Raises
    ------
    SystemExit
        If a name is no encoder's.
    """
    rows = list_peers(arguments.kernels)
    for name in arguments.only:
        if not fnmatch.filter([row.name for row in rows], name):
            raise SystemExit(f"{name}: no such encoder; see --list")
    patterns = arguments.only or ["*"]
    return [row for row in rows if any(fnmatch.fnmatchcase(row.name, p) for p in patterns)]


def prepare_texts(
    arguments: argparse.Namespace, folder: Path, rows: Sequence[Peer]
) -> tuple[dict[str, Workload], dict[str, Any]]:
    """Return the texts, and our float32 vectors of those that are checked, by prompt."""
    model = SentenceModel(folder, engine="reference")

    def count_tokens(texts: Sequence[str]) -> list[int]:
        offsets = model.tokenize(texts).batch.offsets
        return [int(b - a) for a, b in itertools.pairwise(offsets)]

    workloads = choose_workloads(
        arguments.data, arguments.n_texts, count_tokens, model.max_seq_length
    )
    check = workloads["check"].texts
    prompts = dict.fromkeys(row.prompt for row in rows)
    return workloads, {p: model.encode([p + text for text in check]) for p in prompts}


def measure_rates(config: Mapping[str, Any], threads: int) -> dict[str, float]:
    """Return the machine's operations per second by precision; empty without torch."""
    sizes = [str(config["hidden_size"]), str(config["intermediate_size"])]
    run = subprocess.run(
        [sys.executable, str(HERE / "rate.py"), str(threads), *sizes], capture_output=True,
        text=True, check=False, env=offline_variables(thread_variables(threads)),
    )  # fmt: skip
    if run.returncode:
        say(f"the machine's own rate was not measured: {run.stderr.strip().splitlines()[-1:]}")
        return {}
    rates: dict[str, float] = json.loads(run.stdout)
    return rates


def measure_command(n_runs: int) -> dict[str, Any]:
    """Return time and memory of ``text2vec encode hello``, from a shell's point of view."""
    program = str(Path(sys.executable).with_name("text2vec"))
    found = {}
    for dtype in _DTYPES:
        command = [program, "encode", "--dtype", dtype, "hello"]
        runs = [time_command(command, offline_variables({})) for _ in range(n_runs)]
        found[f"text2vec encode --dtype {dtype} hello"] = summarize_cold(runs)
    return found


def main() -> None:
    """Run the comparison."""
    arguments = read_arguments()
    rows = choose_peers(arguments)
    if arguments.list:
        print("\n".join(row.name for row in rows))
        return
    folder = arguments.model or build_base_model()
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    workloads, references = prepare_texts(arguments, folder, rows)
    page: dict[str, Any] = {
        "finished": False,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "argv": sys.argv[1:],
        "model": folder.name,
        "machine": read_machine(),
        "versions": read_versions(),
        "variables": {k: os.environ[k] for k in _KEPT_VARIABLES if k in os.environ},
        "threads": arguments.threads,
        "rounds": arguments.rounds,
        "texts": {
            name: {"n_texts": len(w.texts), "n_tokens": sum(w.lengths), "source": w.source}
            for name, w in workloads.items()
        },
        "machine_rate": measure_rates(config, arguments.threads),
    }
    settings = Settings(
        folder, arguments.prototype, tuple(arguments.kernels), arguments.threads,
        arguments.rounds, arguments.calls, arguments.together, tuple(arguments.workloads),
        Environments(arguments.cache, install=not arguments.no_install),
    )  # fmt: skip

    def save() -> None:
        page["encoders"] = comparison.report(config, page["machine_rate"])
        page["skipped"] = comparison.skipped
        if arguments.json:
            write_json(arguments.json, page)
        if arguments.chart and comparison.taken:
            write_text(arguments.chart, draw_chart(page))

    comparison = Comparison(settings, workloads, references, save)
    comparison.run(rows)
    if "cold" in arguments.workloads:
        try:
            page["command"] = measure_command(arguments.rounds)
        except (WorkerError, OSError) as exc:
            comparison.skipped["text2vec encode hello"] = str(exc)
    again = measure_rates(config, arguments.threads)  # the better of before and after
    page["machine_rate"] = {k: max(v, again.get(k, v)) for k, v in page["machine_rate"].items()}
    page["finished"] = True
    save()
    print(format_table(page))
    for name, reason in comparison.skipped.items():
        print(f"skipped: {name}: {reason}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("stopped; a file that was written says so: finished is false") from None
