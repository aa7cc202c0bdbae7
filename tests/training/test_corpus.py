"""Rows as training reads them: groups, languages, documents, and what a bad row says."""

from __future__ import annotations

import pytest

from tests.training.conftest import write_jsonl
from text2vec.errors import DataFormatError
from text2vec.training.corpus import Corpus, TextTable, read_groups
from text2vec.training.leaks import drop_duplicates, drop_leaks, normalized_text, read_pair_keys
from text2vec.training.sources import SourceRecipe


def read(tmp_path, rows, **source):
    write_jsonl(tmp_path / "f.jsonl", rows)
    asked = {"loss": "cosent", "scale": (0.0, 5.0), **source}
    table = TextTable()
    groups = read_groups(SourceRecipe("s", ("f.jsonl",), **asked), tmp_path, table, 1)
    return groups, table.texts


def pair(a, b, score, **more):
    return {"sentence1": a, "sentence2": b, "score": score, **more}


def test_a_column_divides_rows_into_groups(tmp_path):
    rows = [
        pair("a", "b", 1, source="X"),
        pair("c", "d", 5, source="Y"),
        pair("a", "d", 2, source="X"),
    ]
    groups, texts = read(tmp_path, rows, split_by="source")
    named = {g.name: [[texts[i] for i in row] for row in g.rows] for g in groups}
    assert named == {"s/X": [["a", "b"], ["a", "d"]], "s/Y": [["c", "d"]]}
    assert {g.name: g.labels.tolist() for g in groups} == {"s/X": [1, 2], "s/Y": [5]}
    assert [g.name for g in read(tmp_path, rows, split_by="source", only=("Y",))[0]] == ["s/Y"]
    with pytest.raises(DataFormatError, match="expected source 'Z', found none"):
        read(tmp_path, rows, split_by="source", only=("Z",))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (pair("a", "b", 7), r"f.jsonl:2: expected a score from 0 to 5, found 7"),
        (pair("a", "b", "x"), r"f.jsonl:2: expected a finite number"),
        (pair("a", 5, 1), r"f.jsonl:2: expected text in column 'sentence2'"),
        (pair("a", "b", float("nan")), r"f.jsonl:2: expected"),
    ],
)
def test_a_bad_row_is_named_with_its_line(tmp_path, row, message):
    with pytest.raises(DataFormatError, match=message):
        read(tmp_path, [pair("a", "b", 1), row])


def test_an_empty_file_is_refused(tmp_path):
    with pytest.raises(DataFormatError, match="expected a row, found none"):
        read(tmp_path, [])


def test_labels_are_declared_and_never_guessed_from_the_path(tmp_path):
    folder = tmp_path / "sts-tests-posts"
    folder.mkdir()
    groups, _ = read(folder, [pair("a", "b", 0), pair("c", "d", 1)], scale=(0.0, 1.0))
    assert groups[0].labels.tolist() == [0, 1]
    rows = [{"sentence1": "a", "sentence2": "b", "label": "neutral"}]
    groups, _ = read(tmp_path, rows, scale=(), labels={"neutral": 0.5})
    assert groups[0].labels.tolist() == [0.5]
    classes = {"0.0": 0, "5.0": 1}
    groups, _ = read(
        tmp_path,
        [pair("a", "b", 5.0), pair("c", "d", 0.0)],
        loss="softmax",
        scale=(),
        labels=classes,
    )
    assert groups[0].labels.tolist() == [1, 0]
    with pytest.raises(ValueError, match="declared, never guessed"):
        SourceRecipe("s", ("f",), "cosent")


def write_languages(tmp_path, *languages):
    for language in languages:
        rows = [pair(f"{language} {i} left", f"{language} {i} right", i % 5) for i in range(30)]
        write_jsonl(tmp_path / f"{language}.jsonl", rows)
    return tuple(f"{language}.jsonl" for language in languages)


def test_cross_lingual_rows_keep_their_pair(tmp_path):
    files = write_languages(tmp_path, "de", "en", "fr")
    table = TextTable()
    source = SourceRecipe("s", files, "cosent", scale=(0.0, 5.0), cross_lingual=2)
    (group,) = read_groups(source, tmp_path, table, 1)
    languages = set()
    for row, label in zip(group.rows, group.labels, strict=True):
        left, right = (table.texts[i].split() for i in row)
        assert (left[1], left[2], right[2]) == (right[1], "left", "right")
        assert int(left[1]) % 5 == label
        languages.add((left[0], right[0]))
    assert len(group.rows) == 60
    assert len(languages) == 9
    write_jsonl(tmp_path / "fr.jsonl", [pair("a", "b", 1)])
    with pytest.raises(DataFormatError, match=r"fr.jsonl: 1 rows; expected 30, as in"):
        read_groups(source, tmp_path, TextTable(), 1)


def test_translations_have_the_first_file_on_the_left(tmp_path):
    files = write_languages(tmp_path, "en", "de", "fr")
    table = TextTable()
    source = SourceRecipe("s", files, "distill-translation", cross_lingual=2)
    (group,) = read_groups(source, tmp_path, table, 1)
    drawn = [tuple(table.texts[i].split() for i in row) for row in group.rows]
    assert len(drawn) == 120
    assert all(english[0] == "en" and english[1:] == other[1:] for english, other in drawn)
    assert {other[0] for _, other in drawn} == {"de", "fr"}
    with pytest.raises(ValueError, match=r"columns is .*; expected the names of two"):
        SourceRecipe("s", files, "distill-translation")


def test_texts_are_joined_into_documents(tmp_path):
    rows = [{"t": f"t{i}"} for i in range(20)]
    groups, texts = read(
        tmp_path, rows, loss="distill-cosine", scale=(), columns=("t",), join=(2, 4)
    )
    words = " ".join(texts[i] for i in groups[0].rows[:, 0]).split()
    assert sorted(words) == sorted(row["t"] for row in rows)
    assert max(len(texts[i].split()) for i in groups[0].rows[:, 0]) <= 4


def test_a_file_outside_of_the_data_folder_is_refused(tmp_path):
    source = SourceRecipe("s", ("../f.jsonl",), "cosent", scale=(0.0, 1.0))
    with pytest.raises(ValueError, match="lies outside of the data folder"):
        read_groups(source, tmp_path, TextTable(), 1)


def test_leaks_and_duplicates_are_dropped_and_counted(tmp_path):
    write_jsonl(tmp_path / "test.jsonl", [pair("Wie geht's?", "Ｈallo", 1)])
    keys = read_pair_keys([tmp_path / "test.jsonl"])
    rows = [
        pair("hallo!", "wie gehts", 3),  # the test pair, the other way round
        pair("hallo", "guten Tag", 3),
        pair("Guten Tag", "Hallo.", 1),  # the pair before it, with another score
        pair("?", "!", 1),  # punctuation alone: two different texts
        pair("?", "...", 1),
    ]
    groups, texts = read(tmp_path, rows)
    table = TextTable()
    table.texts = texts
    drop_leaks(Corpus(table, groups), keys)
    drop_duplicates(groups[0], texts)
    assert groups[0].counts == {"read": 5, "leaks": 1, "duplicates": 1, "conflicts": 1}
    assert groups[0].labels.tolist() == [3, 1, 1]


@pytest.mark.parametrize("loss", ["cosent", "distill-translation"])
def test_a_row_of_several_languages_leaks_if_its_pair_does_in_any_one(tmp_path, loss):
    files = write_languages(tmp_path, "de", "en", "fr")
    tests = [pair("fr 7 left", "fr 7 right", 0), pair("en 9 right", "EN 9 left!", 0)]
    write_jsonl(tmp_path / "test.jsonl", [*tests, pair("en 5 left", "en 6 right", 0)])
    scale = (0.0, 5.0) if loss == "cosent" else ()
    source = SourceRecipe("s", files, loss, scale=scale, cross_lingual=3, rows=80)
    table = TextTable()
    (group,) = read_groups(source, tmp_path, table, 1)
    numbers = [table.texts[row[0]].split()[1] for row in group.rows.tolist()]
    drop_leaks(Corpus(table, [group]), read_pair_keys([tmp_path / "test.jsonl"]))
    left = [table.texts[row[0]].split()[1] for row in group.rows.tolist()]
    assert {"7", "9"} <= set(numbers)
    assert left == [number for number in numbers if number not in {"7", "9"}]
    assert group.counts == {"read": 80, "leaks": 80 - len(left)}


def test_any_two_texts_of_a_row_may_leak(tmp_path):
    write_jsonl(tmp_path / "test.jsonl", [pair("b", "c", 1), pair("?!", "a", 1)])
    rows = [
        {"q": "a", "p": "b", "n": "c"},
        {"q": "a", "p": "d", "n": "?!"},
        {"q": "a", "p": "b", "n": "d"},
    ]
    groups, texts = read(tmp_path, rows, loss="triplet", scale=(), columns=("q", "p", "n"))
    table = TextTable()
    table.texts = texts
    drop_leaks(Corpus(table, groups), read_pair_keys([tmp_path / "test.jsonl"]))
    assert [[texts[i] for i in row] for row in groups[0].rows] == [["a", "b", "d"]]


def test_scores_that_differ_between_languages_are_named_with_their_lines(tmp_path):
    files = ("en.jsonl", "de.jsonl")
    write_jsonl(tmp_path / "en.jsonl", [pair("a", "b", score) for score in (1, 4, 5)])
    write_jsonl(tmp_path / "de.jsonl", [pair("a", "b", score) for score in (1, 4, 2)])
    source = SourceRecipe("s", files, "cosent", scale=(0.0, 5.0), cross_lingual=1, skip=1)
    with pytest.raises(
        DataFormatError, match=r"de.jsonl:3: .*the score of .*en.jsonl:3, 5, found 2"
    ):
        read_groups(source, tmp_path, TextTable(), 1)


def test_normalized_text_is_what_the_data_folder_says():
    assert normalized_text("ＡＢＣ，你好 １２") == "abc你好12"
    assert normalized_text("") == ""
    assert normalized_text("?!") == "?!"
