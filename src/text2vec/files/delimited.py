"""CSV and TSV rows out of numbered lines, strictly: nothing is guessed and nothing is joined.

A parser of our own, because that of the standard library limits a field by a setting that the
whole process shares. Which column is wanted is the business of ``records``.
"""

from __future__ import annotations

from collections.abc import Iterator

from text2vec.files.lines import MAX_ROW_BYTES, NumberedLine, bad_row, strip_line_end

__all__ = ["read_csv_rows", "read_tsv_rows"]


def read_tsv_rows(lines: Iterator[NumberedLine], name: str) -> Iterator[tuple[int, list[str]]]:
    r"""Yield the line number and the fields of every row of a TSV file.

    A quotation mark is a character like any other, as the media type ``text/tab-separated-values``
    has it: sentence data is full of lone ones, and to read them as quoting would join rows.

    Parameters
    ----------
    lines
        The file's lines.
    name
        Not used: no line of a TSV file is wrong by itself.

    Yields
    ------
    tuple[int, list[str]]
        Line number, counted from 1, and the fields. A blank line is one empty field.

    Examples
    --------
    >>> list(read_tsv_rows(iter([NumberedLine(1, 'a\t"b\r\n')]), "x.tsv"))
    [(1, ['a', '"b'])]
    """
    del name
    for number, line in lines:
        yield number, strip_line_end(line).split("\t")


def read_csv_rows(lines: Iterator[NumberedLine], name: str) -> Iterator[tuple[int, list[str]]]:
    r"""Yield the line number and the fields of every row of a CSV file.

    Source: RFC 4180. A field that begins with a quotation mark may hold commas, line breaks and
    doubled quotation marks; within another field a quotation mark is an ordinary character.

    Parameters
    ----------
    lines
        The file's lines.
    name
        What errors call the file.

    Yields
    ------
    tuple[int, list[str]]
        Number of the row's first line, counted from 1, and the fields. A blank line is one empty
        field.

    Raises
    ------
    DataFormatError
        If a quotation is never closed, or if anything but a comma follows it.

    Examples
    --------
    >>> rows = [NumberedLine(1, '"a\n'), NumberedLine(2, 'b, ""c"" d",e\n')]
    >>> list(read_csv_rows(iter(rows), "x.csv"))
    [(1, ['a\nb, "c" d', 'e'])]
    """
    for number, line in lines:
        if '"' in line:
            yield number, _QuotedRow(number, line, lines, name).read_fields()
        else:
            yield number, strip_line_end(line).split(",")


class _QuotedRow:
    """A cursor over one CSV row, which fetches further lines while a quotation is open."""

    def __init__(self, number: int, line: str, lines: Iterator[NumberedLine], name: str) -> None:
        self._number = number
        self._line = line
        self._at = 0
        self._lines = lines
        self._name = name

    def read_fields(self) -> list[str]:
        fields = []
        while True:
            quoted = self._line.startswith('"', self._at)
            fields.append(self._read_quoted() if quoted else self._read_plain())
            if not self._line.startswith(",", self._at):
                return fields
            self._at += 1

    def _read_plain(self) -> str:
        end = self._line.find(",", self._at)
        start, self._at = self._at, len(self._line) if end < 0 else end
        return self._line[start:end] if end >= 0 else strip_line_end(self._line[start:])

    def _read_quoted(self) -> str:
        opened = self._number
        parts: list[str] = []
        n_characters = 0
        self._at += 1
        while True:
            end = self._line.find('"', self._at)
            if end < 0:
                parts.append(self._line[self._at :])
                n_characters += len(parts[-1])
                self._fetch_line(opened, n_characters)
                continue
            parts.append(self._line[self._at : end])
            self._at = end + 1
            if not self._line.startswith('"', self._at):
                break
            parts.append('"')
            self._at += 1
        rest = self._line[self._at :]
        if strip_line_end(rest) and not rest.startswith(","):
            expected = "a comma or the row's end after a closing quotation mark"
            raise bad_row(self._name, self._number, expected, repr(strip_line_end(rest)))
        return "".join(parts)

    def _fetch_line(self, opened: int, n_characters: int) -> None:
        following = next(self._lines, None)
        if following is None:
            found = "the file's end"
        elif n_characters > MAX_ROW_BYTES:
            found = f"more than {MAX_ROW_BYTES} characters"
        else:
            self._number, self._line = following
            self._at = 0
            return
        raise bad_row(self._name, opened, "the quotation that opens here to be closed", found)
