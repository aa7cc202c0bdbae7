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


GOOD = {"name": "'x'", "kind": "'pairs'", "files": "['a.csv']", "language": "'de'"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": "'../../x'"}, r"name is '../../x'; expected 1 to 64 letters, digits"),
        ({"name": "'..'"}, "name is '..'; expected"),
        ({"name": "'.x'"}, "name is '.x'; expected"),
        ({"name": "'a/b'"}, "name is 'a/b'; expected"),
        ({"name": "'a\\b'"}, "name is .*; expected"),
        ({"name": "''"}, "name is ''; expected"),
        ({"name": f"'{'x' * 65}'"}, "name is 'xxx.*; expected"),
        ({"name": "1"}, "name is 1; expected a string"),
        ({"name": "'atec'"}, "'atec' is built in; expected another name"),
        ({"language": "['de']"}, r"language is \['de'\]; expected a string"),
        ({"files": "'a.jsonl'"}, "files is 'a.jsonl'; expected a list of names"),
        ({"files": "[1]"}, r"files is \[1\]; expected a list of names"),
        ({"files": "['']"}, r"files is \[''\]; expected a list of names"),
        ({"scale": "[0]"}, r"scale is \[0\]; expected the lowest and the highest label"),
        ({"scale": "[1, 0]"}, r"scale is \[1, 0\]; expected"),
        ({"scale": "['0', '1']"}, r"scale is \['0', '1'\]; expected"),
        ({"scale": "[0, nan]"}, r"scale is \[0, nan\]; expected"),
        ({"scale": "5"}, "scale is 5; expected"),
        ({"columns": "['a']"}, r"columns is \['a'\]; expected two texts and a score, or none"),
        ({"columns": "'abc'"}, "columns is 'abc'; expected a list of names"),
        ({"kind": "'clustering'", "columns": "['a']"}, r"columns is \['a'\]; expected a text and"),
        ({"kind": "'bitext'"}, r"columns is \[\]; expected both languages"),
        (
            {"kind": "'retrieval'", "files": "['a', 'b', 'c']", "columns": "['a']"},
            "BEIR names them",
        ),
        (
            {"kind": "'clustering'", "scale": "[0, 1]"},
            "are for pairs; leave them out for clustering",
        ),
        ({"labels": "[1]"}, r"labels is \[1\]; expected a number for each word"),
        ({"labels": "{yes = '1'}"}, "labels is {'yes': '1'}; expected a number for each word"),
        ({"header": "0"}, "header is 0; expected true or false"),
        ({"hub": "'a/b'", "files": "['a', 'b']"}, "hub is 'a/b'; expected none for 2 files"),
    ],
)
def test_wrong_fields_are_refused_with_file_and_task(changed, message, tmp_path):
    path = tmp_path / "tasks.toml"
    rows = "\n".join(f"{name} = {value}" for name, value in {**GOOD, **changed}.items())
    path.write_text(f"[[task]]\n{rows}\n")
    with pytest.raises(ValueError, match=rf"tasks\.toml: task 1: .*{message}"):
        read_tasks(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[task]\nname = 'x'\n", r"expected tasks as \[\[task\]\] and nothing else"),
        ("task = [1]\n", r"expected tasks as \[\[task\]\] and nothing else"),
        ("[[tasks]]\nname = 'x'\n", "nothing else, found 'tasks'"),
        (
            2 * "[[task]]\nname='x'\nkind='pairs'\nfiles=['a']\nlanguage='z'\n",
            "task 2: 'x' is there",
        ),
    ],
)
def test_a_file_of_something_else_is_refused(text, message, tmp_path):
    path = tmp_path / "tasks.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_tasks(path)


@pytest.mark.parametrize("name", ["x", "stsb-zh.v2", "_1", "-a", "句子", "a..b"])
def test_names_that_are_file_names_are_taken(name, tmp_path):
    path = tmp_path / "tasks.toml"
    row = f"name='{name}'\nkind='pairs'\nfiles=['a']\nlanguage='z'\n"
    path.write_text(f"[[task]]\n{row}", encoding="utf-8")
    assert list(read_tasks(path)) == [name]


def test_own_rows_stand_beside_the_built_in_ones(tmp_path):
    path = tmp_path / "tasks.toml"
    path.write_text("[[task]]\nname='x'\nkind='pairs'\nfiles=['a.csv']\nlanguage='de'\nscale=[0,1]")
    tasks = read_tasks(path)
    assert tasks["x"] == Task("x", "pairs", ("a.csv",), "de", scale=(0, 1))
    assert [task.name for task in find_tasks(["x"], ["paws-x"], tasks)][-1] == "x"
