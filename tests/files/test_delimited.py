from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from text2vec.errors import DataFormatError
from text2vec.files import delimited
from text2vec.files.delimited import read_csv_rows, read_tsv_rows
from text2vec.files.lines import read_lines

FIELDS = st.text(st.sampled_from('ab,"\n\r\t 茶'), max_size=8)


def read_csv(text: str) -> list[tuple[int, list[str]]]:
    return list(read_csv_rows(read_lines(io.BytesIO(text.encode())), "x.csv"))


@given(
    st.lists(st.lists(FIELDS, min_size=1, max_size=4), max_size=6),
    # With "\n" as the end, QUOTE_MINIMAL leaves a final "\r" bare, which nobody can read back.
    st.sampled_from([(csv.QUOTE_MINIMAL, "\r\n"), (csv.QUOTE_ALL, "\n"), (csv.QUOTE_ALL, "\r\n")]),
)
def test_read_csv_rows_reads_what_the_standard_library_writes(rows, form):
    quoting, end = form
    stream = io.StringIO(newline="")
    csv.writer(stream, quoting=quoting, lineterminator=end).writerows(rows)
    assert [fields for _, fields in read_csv(stream.getvalue())] == rows


@given(st.text(st.sampled_from('ab,"\n'), max_size=30))
def test_read_csv_rows_any_text_agrees_with_the_standard_library(text):
    try:
        expected = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        with pytest.raises(DataFormatError, match=r"^x\.csv:\d+: expected"):
            read_csv(text)
        return
    # The standard library calls a blank line a row of no fields; here it is one empty field.
    assert [fields for _, fields in read_csv(text)] == [fields or [""] for fields in expected]


def test_read_csv_rows_number_is_that_of_the_first_line():
    assert read_csv('a\n"b\n\nc"\nd\n') == [(1, ["a"]), (2, ["b\n\nc"]), (5, ["d"])]


def test_read_csv_rows_keeps_the_line_ends_inside_quotes():
    assert read_csv('"a\r\nb",c\r\n') == [(1, ["a\r\nb", "c"])]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('a\nb,"c\nd\n', "x.csv:2: expected the quotation that opens here to be closed, found the"),
        ('"a"b,c\n', "x.csv:1: expected a comma or the row's end after .*, found 'b,c'"),
        ('x,"a\nb"c\n', r"x\.csv:2: expected a comma"),
    ],
)
def test_read_csv_rows_bad_quotation_is_named(text, match):
    with pytest.raises(DataFormatError, match=match):
        read_csv(text)


def test_read_csv_rows_open_quotation_does_not_take_the_whole_file(monkeypatch):
    monkeypatch.setattr(delimited, "MAX_ROW_BYTES", 50)
    with pytest.raises(DataFormatError, match=r"x\.csv:1: .* found more than 50 characters"):
        read_csv('"' + "abcdefgh\n" * 100)


def test_read_csv_rows_field_beyond_the_standard_librarys_limit():
    field = "x" * (csv.field_size_limit() + 1)
    assert read_csv(f'"{field}"\n') == [(1, [field])]


def test_read_tsv_rows_quotation_marks_are_text():
    lines = read_lines(io.BytesIO(b'"a\tb\n"c"\t"d\r\n\n'))
    assert list(read_tsv_rows(lines, "x.tsv")) == [(1, ['"a', "b"]), (2, ['"c"', '"d']), (3, [""])]
