"""The table of tasks: what each is made of, where its data lie, and what others published.

A new data set is a row here, or a row of a TOML file that ``read_tasks`` reads. How a kind of
task is scored is in ``scoring``.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from text2vec.files.text_file import read_toml

__all__ = ["LANGUAGES", "MAIN_METRICS", "SUITES", "TASKS", "Task", "find_tasks", "read_tasks"]

LANGUAGES = ("de", "en", "es", "fr", "it", "nl", "pl", "pt", "ru", "zh")

MAIN_METRICS: Mapping[str, str] = MappingProxyType({
    "pairs": "spearman",
    "retrieval": "ndcg@10",
    "clustering": "v_measure",
    "bitext": "f1",
})
"""Kind of task -> the metric that its row of a table shows."""

_FILE_COUNTS: Mapping[str, tuple[int, ...]] = MappingProxyType({
    "pairs": (1, 2),
    "retrieval": (3,),
    "clustering": (1,),
    "bitext": (1,),
})
_COLUMNS: Mapping[str, tuple[tuple[int, ...], str]] = MappingProxyType({
    "pairs": ((0, 3), "two texts and a score, or none"),
    "retrieval": ((0,), "none: BEIR names them"),
    "clustering": ((0, 2), "a text and a label, or none"),
    "bitext": ((2,), "both languages"),
})
_WORDS = ("name", "kind", "language", "hub", "hub_config", "hub_split", "revision", "licence")
_NAME = re.compile(r"[\w-][\w.-]{0,63}")


@dataclass(frozen=True)
class Task:
    """One data set and how it is used.

    Attributes
    ----------
    name
        Unique; as in ``text2vec evaluate --task``. At most 64 letters, digits, ``.``, ``_`` and
        ``-``, no ``.`` first: results are files of this name.
    kind
        Row of ``MAIN_METRICS``.
    files
        Below the data folder. ``pairs``: one file, or two aligned ones of which the first gives
        the first text and the second the second text; ``retrieval``: corpus, queries and qrels
        (BEIR's layout); ``clustering`` and ``bitext``: one file.
    language
        ``zh``, or ``zh-en`` for a pair of languages.
    scale
        Lowest and highest label; None where there are no numbers.
    columns
        Two texts and a score (``pairs``), text and label (``clustering``), both sides
        (``bitext``); empty for the names of ``PAIR_COLUMNS`` and BEIR.
    hub
        Data set on the Hugging Face Hub that holds the same rows; empty for none.
    hub_config, hub_split, revision
        Part of it, split, and commit.
    licence
        As the source states it; empty where it states none.
    labels
        Word -> number for a score column of words (``pairs``); None for a column of numbers.
    header
        False for a CSV or TSV of three columns without names (``pairs``).

    Raises
    ------
    ValueError
        If a field is of another type, or its values do not fit the kind.
    """

    name: str
    kind: str
    files: tuple[str, ...]
    language: str
    scale: tuple[float, float] | None = None
    columns: tuple[str, ...] = ()
    hub: str = ""
    hub_config: str = ""
    hub_split: str = "test"
    revision: str = ""
    licence: str = ""
    labels: Mapping[str, float] | None = None
    header: bool = True

    def __post_init__(self) -> None:
        """Refuse a row that no run could use."""
        for name in _WORDS:
            if not isinstance(getattr(self, name), str):
                self._refuse(name, "a string")
        if not _NAME.fullmatch(self.name):
            self._refuse("name", "1 to 64 letters, digits, '.', '_', '-', no '.' first")
        if self.kind not in MAIN_METRICS:
            raise ValueError(
                f"task {self.name!r}: unknown kind {self.kind!r}; "
                f"expected one of {', '.join(MAIN_METRICS)}"
            )
        self._check_files()
        self._check_scores()

    def _check_files(self) -> None:
        for name in ("files", "columns"):
            if not _are_words(getattr(self, name)):
                self._refuse(name, "a list of names")
        counts = _FILE_COUNTS[self.kind]
        if len(self.files) not in counts:
            expected = " or ".join(map(str, counts))
            raise ValueError(
                f"task {self.name!r}: {len(self.files)} files; expected {expected} for {self.kind}"
            )
        if self.hub and len(self.files) > 1:
            self._refuse("hub", f"none for {len(self.files)} files: a data set there is one file")
        counts, expected = _COLUMNS[self.kind]
        if len(self.columns) not in counts:
            self._refuse("columns", expected)

    def _check_scores(self) -> None:
        if self.scale is not None and not _is_scale(self.scale):
            self._refuse("scale", "the lowest and the highest label")
        if not isinstance(self.header, bool):
            self._refuse("header", "true or false")
        if self.labels is not None and not _are_labels(self.labels):
            self._refuse("labels", "a number for each word")
        if self.kind != "pairs" and (self.scale, self.labels, self.header) != (None, None, True):
            raise ValueError(
                f"task {self.name!r}: scale, labels and header are for pairs; "
                f"leave them out for {self.kind}"
            )

    def _refuse(self, field: str, expected: str) -> NoReturn:
        value = getattr(self, field)
        value = list(value) if isinstance(value, tuple) else value
        raise ValueError(f"task {self.name!r}: {field} is {value!r}; expected {expected}")

    @property
    def metric(self) -> str:
        """The main metric."""
        return MAIN_METRICS[self.kind]

    @property
    def is_binary(self) -> bool:
        """Whether the labels are 0 and 1."""
        return self.scale == (0.0, 1.0)


def _are_words(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(x, str) and x for x in value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_scale(value: object) -> bool:
    if not isinstance(value, tuple) or len(value) != 2 or not all(map(_is_number, value)):
        return False
    return bool(value[0] < value[1])


def _are_labels(value: object) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(map(_is_number, value.values()))


_CONTEST = "contest or research data; the sources state no licence"
_STSB = "the terms of STS-B"
_PAWS = "free for any purpose"

_CHINESE = (
    # name, file, scale, hub, revision, licence
    ("atec", (0.0, 1.0), "C-MTEB/ATEC", "0f319b1142f28d00e055a6770f3f726ae9b7d865", _CONTEST),
    ("bq", (0.0, 1.0), "C-MTEB/BQ", "e3dda5e115e487b39ec7e618c0c6a29137052a55", _CONTEST),
    ("lcqmc", (0.0, 1.0), "C-MTEB/LCQMC", "17f9b096f80380fce5ed12a9be8be7784b337daf", _CONTEST),
    ("pawsx", (0.0, 1.0), "C-MTEB/PAWSX", "9c6a90e430ac22b5779fb019a23e820b11a8b5e1", _PAWS),
    ("stsb-zh", (0.0, 5.0), "C-MTEB/STSB", "0cde68302b3541bb8b3c340dc0644b0b745b3dc0", _STSB),
    ("sohu-dd", (0.0, 5.0), "", "", _CONTEST),
    ("sohu-dc", (0.0, 5.0), "", "", _CONTEST),
)
_STSB_HUB = ("mteb/stsb_multi_mt", "29afa2569dcedaaa2fe6a3dcfebab33d28b82e8c")


def _stsb_file(language: str) -> str:
    return f"eval/stsb-multi-{language}.test.jsonl.gz"


def _built_in() -> dict[str, Task]:
    tasks = [
        Task(
            name,
            "pairs",
            (f"eval/{name}.test.jsonl.gz",),
            "zh",
            scale,
            hub=hub,
            revision=revision,
            licence=licence,
        )
        for name, scale, hub, revision, licence in _CHINESE
    ]
    tasks += [
        Task(
            f"stsb-{language}" if language != "zh" else "stsb-multi-zh",
            "pairs",
            (_stsb_file(language),),
            language,
            (0.0, 5.0),
            hub=_STSB_HUB[0],
            hub_config=language,
            revision=_STSB_HUB[1],
            licence=_STSB,
        )
        for language in LANGUAGES
    ]
    tasks += [
        Task(
            f"stsb-{a}-{b}",
            "pairs",
            (_stsb_file(a), _stsb_file(b)),
            f"{a}-{b}",
            (0.0, 5.0),
            licence=_STSB,
        )
        for a, b in itertools.combinations(LANGUAGES, 2)
    ]
    tasks += [
        Task(
            f"pawsx-{language}",
            "pairs",
            (f"eval/pawsx-{language}.test.jsonl.gz",),
            language,
            (0.0, 1.0),
            licence=_PAWS,
        )
        for language in ("de", "en", "es", "fr")
    ]
    return {task.name: task for task in tasks}


TASKS: Mapping[str, Task] = MappingProxyType(_built_in())
"""Name -> task, for everything that is built in."""

_MULTILINGUAL = tuple(
    name for name, t in TASKS.items() if t.files == (_stsb_file(t.language),) and len(t.files) == 1
)
SUITES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "chinese": tuple(row[0] for row in _CHINESE),
    "multilingual": _MULTILINGUAL,
    "cross-lingual": tuple(name for name, task in TASKS.items() if len(task.files) == 2),
    "paws-x": ("pawsx", "pawsx-de", "pawsx-en", "pawsx-es", "pawsx-fr"),
})
"""Name in ``text2vec evaluate --suite`` -> names of its tasks; ``chinese`` is the card's table."""


def find_tasks(
    names: Sequence[str], suites: Sequence[str] = (), more: Mapping[str, Task] | None = None
) -> list[Task]:
    """Return the tasks of some names and suites, each once, in the order asked for.

    Parameters
    ----------
    names
        Names of tasks.
    suites
        Rows of ``SUITES``.
    more
        Tasks beside the built-in ones.

    Returns
    -------
    list[Task]
        Empty if nothing is asked for.

    Raises
    ------
    ValueError
        If there is no such task or suite.

    Examples
    --------
    >>> [task.name for task in find_tasks(["stsb-de-en"], ["paws-x"])][:2]
    ['pawsx', 'pawsx-de']
    """
    known = {**TASKS, **(more or {})}
    wanted: dict[str, Task] = {}
    for suite in suites:
        if suite not in SUITES:
            raise ValueError(f"unknown suite {suite!r}; expected one of {', '.join(SUITES)}")
        wanted |= {name: known[name] for name in SUITES[suite]}
    for name in names:
        if name not in known:
            raise ValueError(f"unknown task {name!r}; 'text2vec evaluate --list' shows all")
        wanted[name] = known[name]
    return list(wanted.values())


def read_tasks(path: Path) -> dict[str, Task]:
    r"""Return the tasks that a TOML file describes, as ``[[task]]`` with the fields of ``Task``.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    dict[str, Task]
        By name; empty for a file without tasks.

    Raises
    ------
    ValueError
        If it is no TOML, or a field is unknown, missing or wrong, or a name is taken; the message
        says where.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "mine.toml"
    ...     _ = path.write_text(
    ...         '[[task]]\nname = "mine"\nkind = "bitext"\nfiles = ["a.tsv"]\n'
    ...         'language = "de-en"\ncolumns = ["de", "en"]\n'
    ...     )
    ...     read_tasks(path)["mine"].columns
    ('de', 'en')
    """
    content = read_toml(path)
    rows = content.pop("task", [])
    if content or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        found = f", found {', '.join(map(repr, content))}" if content else ""
        raise ValueError(f"{path}: expected tasks as [[task]] and nothing else{found}")
    tasks: dict[str, Task] = {}
    for i, row in enumerate(rows, 1):
        task = _read_task(f"{path}: task {i}", row)
        if task.name in TASKS or task.name in tasks:
            taken = "built in" if task.name in TASKS else "there twice"
            raise ValueError(f"{path}: task {i}: {task.name!r} is {taken}; expected another name")
        tasks[task.name] = task
    return tasks


def _read_task(where: str, row: Mapping[str, Any]) -> Task:
    known = {field.name for field in fields(Task)}
    unknown = sorted(set(row) - known)
    missing = [name for name in ("name", "kind", "files", "language") if name not in row]
    if unknown or missing:
        raise ValueError(
            f"{where}: unknown fields {unknown}, missing fields {missing}; "
            f"expected some of {', '.join(sorted(known))}"
        )
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
    try:
        return Task(**values)
    except ValueError as exc:
        raise ValueError(f"{where}: {exc}") from exc
