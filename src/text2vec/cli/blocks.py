"""What the commands on texts have in common: texts in chunks, embeddings in blocks, a progress bar.

It joins the room of texts to a model; it is imported only when a command runs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from numpy.typing import NDArray

from text2vec.files.records import (
    Record,
    chunk_records,
    count_records,
    read_records,
    read_stream,
)

if TYPE_CHECKING:
    from text2vec.pipeline import EncodeResult
    from text2vec.sentence_model import SentenceModel

__all__ = [
    "Block",
    "TextSource",
    "encode_blocks",
    "encode_texts",
    "file_source",
    "stream_source",
    "typed_source",
]

_SHOWN_CUTS = 5


@dataclass(frozen=True)
class TextSource:
    """Where texts come from.

    Attributes
    ----------
    name
        What messages call it, printable.
    records
        The rows, read as they are asked for.
    n_records
        How many there are, or None if that is not known cheaply.
    path
        The file, or None.
    """

    name: str
    records: Iterator[Record]
    n_records: int | None = None
    path: Path | None = None


@dataclass(frozen=True)
class Block:
    """Some rows and their embeddings.

    Attributes
    ----------
    records
        The rows.
    embeddings
        Shape ``(n_texts, dim)``: all texts of the first row, then those of the second.
    n_cut
        How many texts were cut, up to and with this block.
    """

    records: list[Record]
    embeddings: NDArray[Any]
    n_cut: int


def typed_source(rows: Sequence[tuple[str, ...]]) -> TextSource:
    """Return a source of rows that were typed as arguments.

    Parameters
    ----------
    rows
        The texts of each row.

    Returns
    -------
    TextSource
        Its lines are the places of the arguments, counted from 1.
    """
    records = (Record(place, texts) for place, texts in enumerate(rows, start=1))
    return TextSource("argument", records, len(rows))


def file_source(path: Path, columns: Sequence[str]) -> TextSource:
    """Return a source of the rows of a file.

    Parameters
    ----------
    path
        File that ``read_records`` can read.
    columns
        Columns to take.

    Returns
    -------
    TextSource
        Not read yet, but known to exist and to be of a known kind.
    """
    records = read_records(path, columns)
    name = str(path).encode("utf-8", "backslashreplace").decode()
    return TextSource(name, records, count_records(path), path)


def stream_source(stream: BinaryIO) -> TextSource:
    """Return a source of the lines of a stream, as they arrive.

    Parameters
    ----------
    stream
        Binary stream of UTF-8.

    Returns
    -------
    TextSource
        Of unknown length.
    """
    return TextSource("<stdin>", read_stream(stream))


def encode_texts(
    model: SentenceModel,
    texts: Sequence[str],
    args: argparse.Namespace,
    prompt: str | None = None,
) -> EncodeResult:
    """Return the embeddings of a few texts, as the encoding options want them.

    Parameters
    ----------
    model
        The model.
    texts
        The texts.
    args
        Parsed arguments with the encoding options.
    prompt
        Put before each text where the options ask for none.

    Returns
    -------
    EncodeResult
        One row per text.
    """
    asks = args.prompt is not None or args.prompt_name is not None
    return model.encode_result(
        texts,
        prompt=args.prompt if asks else prompt,
        prompt_name=args.prompt_name,
        batch_size=args.batch_size,
        normalize_embeddings=args.normalize,
        precision=args.precision,
        truncate_dim=args.truncate_dim,
        show_progress_bar=False,
    )


def encode_blocks(
    model: SentenceModel,
    source: TextSource,
    args: argparse.Namespace,
    prompt: str | None = None,
) -> Iterator[Block]:
    """Yield the rows of a source with their embeddings, in order, one chunk in memory at a time.

    At the end the texts that were cut are reported on stderr, unless ``args.quiet``.

    Parameters
    ----------
    model
        The model.
    source
        Where the rows come from.
    args
        Parsed arguments with the encoding options.
    prompt
        As in ``encode_texts``.

    Yields
    ------
    Block
        At least one; a source of no rows gives one block of no rows.
    """
    n_cut = n_records = 0
    cut_lines: list[int] = []
    with _progress(source, args) as advance:
        for records in chunk_records(source.records, args.chunk_size):
            texts = [text for row in records for text in row.texts]
            result = encode_texts(model, texts, args, prompt)
            width = len(records[0].texts)
            n_cut += int(result.truncated.sum())
            places = result.truncated.nonzero()[0][: _SHOWN_CUTS - len(cut_lines)].tolist()
            cut_lines += [records[place // width].line for place in places]
            n_records += len(records)
            yield Block(records, result.embeddings, n_cut)
            advance(len(records))
    if n_records == 0:
        yield Block([], encode_texts(model, [], args).embeddings, 0)
    if n_cut and not args.quiet:
        places_shown = ", ".join(f"{source.name}:{line}" for line in dict.fromkeys(cut_lines))
        more = ", ..." if n_cut > len(cut_lines) else ""
        sys.stderr.write(
            f"text2vec: note: {n_cut} of the texts had more than {model.max_seq_length} tokens "
            f"and were cut: {places_shown}{more}\n"
        )


@contextmanager
def _progress(source: TextSource, args: argparse.Namespace) -> Iterator[Callable[[int], object]]:
    small = source.n_records is not None and source.n_records <= args.chunk_size
    if args.quiet or small or not sys.stderr.isatty():
        yield lambda _: None
        return
    from tqdm import tqdm

    with tqdm(total=source.n_records, unit=" rows", file=sys.stderr) as bar:
        yield bar.update
