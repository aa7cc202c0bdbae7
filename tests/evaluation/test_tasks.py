"""The table of tasks, and rows of a user's own."""

from __future__ import annotations

import pytest

from text2vec.evaluation.tasks import LANGUAGES, SUITES, TASKS, Task, find_tasks, read_tasks


def test_suites_are_the_published_ones():
    assert SUITES["chinese"] == (
        "atec",
        "bq",
        "lcqmc",
        "pawsx",
        "stsb-zh",
        "sohu-dd",
        "sohu-dc",
    )
    assert len(SUITES["multilingual"]) == len(LANGUAGES) == 10
    assert len(SUITES["cross-lingual"]) == 45
    assert {name for suite in SUITES.values() for name in suite} == set(TASKS)
    assert all(TASKS[name].name == name for name in TASKS)
    assert all(len(task.revision) == 40 for task in TASKS.values() if task.hub)


def test_tasks_are_found_once_and_in_order():
    names = [task.name for task in find_tasks(["stsb-de", "atec"], ["chinese"])]
    assert names == [*SUITES["chinese"], "stsb-de"]
    assert find_tasks([]) == []
    with pytest.raises(ValueError, match="unknown suite 'german'; expected one of chinese"):
        find_tasks([], ["german"])
    with pytest.raises(ValueError, match="unknown task 'x'"):
        find_tasks(["x"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[task]]\nname = 'x'\n", "task 1: .*missing fields .*kind"),
        ("[[task]]\nname='x'\nkind='y'\nfiles=['a']\nlanguage='z'", "unknown kind 'y'"),
        ("[[task]]\nname='x'\nkind='retrieval'\nfiles=['a']\nlanguage='z'", "1 files; expected 3"),
        ("[[task]]\nname='x'\nkind='pairs'\nfiles=['a']\nlanguage='z'\nhue=1", "unknown fields"),
        ("[[task", "expected TOML"),
    ],
)
def test_wrong_rows_are_named(text, message, tmp_path):
    path = tmp_path / "tasks.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_tasks(path)


def test_own_rows_stand_beside_the_built_in_ones(tmp_path):
    path = tmp_path / "tasks.toml"
    path.write_text("[[task]]\nname='x'\nkind='pairs'\nfiles=['a.csv']\nlanguage='de'\nscale=[0,1]")
    tasks = read_tasks(path)
    assert tasks["x"] == Task("x", "pairs", ("a.csv",), "de", scale=(0, 1))
    assert [task.name for task in find_tasks(["x"], ["paws-x"], tasks)][-1] == "x"
