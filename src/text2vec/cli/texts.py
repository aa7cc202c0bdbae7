"""The commands on texts: encode, similarity, search.

They parse words, call the rooms below and print; heavy imports stand inside the functions.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from text2vec.cli.options import (
    add_command,
    file_name,
    model_options,
    open_model,
    positive_int,
    text_options,
)

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from text2vec.cli.blocks import Block, TextSource
    from text2vec.files.embedding_files import EmbeddingWriter
    from text2vec.sentence_model import SentenceModel

__all__ = ["add_commands", "run_encode", "run_search", "run_similarity"]

_SHOWN_CHARACTERS = 160

_ENCODE_EXAMPLES = """  text2vec encode "hello" "你好"
  text2vec encode --input texts.txt --output vectors.npy
  text2vec encode --input rows.csv.gz --column title --output vectors.parquet --normalize
  zcat big.txt.gz | text2vec encode --input - --output - | gzip > big.jsonl.gz

input: .txt (a text a line), .jsonl, .csv, .tsv (a header, no quoting), .parquet; .gz after any of
the first four; stdin is read as .txt. Order is kept and nothing is dropped: a blank line is a text
too. A bad row ends the run with path:line, and no output file is made.
int8 and uint8 are not offered: their scale depends on all rows at once. Convert from float32."""
_SIMILARITY_EXAMPLES = """  text2vec similarity "如何更换花呗绑定银行卡" "花呗更改绑定银行卡"
  text2vec similarity --input pairs.tsv --json
  text2vec similarity --input pairs.jsonl --columns question answer"""
_SEARCH_EXAMPLES = """  text2vec search "how do I change my card?" --input questions.txt
  text2vec search "换银行卡" --input questions.csv --column question --top-k 3 --json

Without --prompt and --prompt-name a model's own prompts for queries and documents are used."""


def add_commands(commands: Any) -> None:
    """Add encode, similarity and search.

    Parameters
    ----------
    commands
        What ``add_subparsers`` returned.
    """
    parents = [text_options(), model_options()]
    encode = add_command(
        commands, "encode", "turn texts into vectors", examples=_ENCODE_EXAMPLES, parents=parents
    )
    encode.add_argument("texts", nargs="*", metavar="TEXT", help="texts; stdin if none is given")
    encode.add_argument(
        "--input", type=file_name, metavar="FILE", help="file of texts, or - for stdin"
    )
    encode.add_argument("--column", default="text", metavar="NAME", help="column (default: text)")
    encode.add_argument(
        "--output",
        type=file_name,
        metavar="FILE",
        help="file to write, or - for JSON lines on stdout (default)",
    )
    encode.add_argument("--format", choices=("npy", "jsonl", "parquet"), help="format of --output")
    encode.add_argument("--normalize", action="store_true", help="scale embeddings to length 1")
    encode.add_argument(
        "--precision",
        choices=("float32", "float16", "binary", "ubinary"),
        default="float32",
        help="type of the values (default: float32)",
    )
    encode.set_defaults(run=run_encode)

    similarity = add_command(
        commands,
        "similarity",
        "score how alike two texts are",
        examples=_SIMILARITY_EXAMPLES,
        parents=parents,
    )
    similarity.add_argument("sentences", nargs="*", metavar="TEXT", help="two texts")
    similarity.add_argument(
        "--input", type=file_name, metavar="FILE", help="file of pairs, a score a row"
    )
    similarity.add_argument(
        "--columns",
        nargs=2,
        default=("sentence1", "sentence2"),
        metavar="NAME",
        help="columns of the pairs (default: sentence1 sentence2)",
    )
    similarity.set_defaults(run=run_similarity, normalize=False, precision="float32")

    search = add_command(
        commands,
        "search",
        "find the texts of a file nearest to a query",
        examples=_SEARCH_EXAMPLES,
        parents=parents,
    )
    search.add_argument("query", metavar="QUERY", help="what to look for")
    search.add_argument(
        "--input", type=file_name, required=True, metavar="FILE", help="file of texts, - for stdin"
    )
    search.add_argument("--column", default="text", metavar="NAME", help="column (default: text)")
    search.add_argument(
        "--top-k", type=positive_int, default=10, metavar="N", help="best rows (default: 10)"
    )
    search.set_defaults(run=run_search, normalize=False, precision="float32")


def run_encode(args: argparse.Namespace) -> None:
    """Write the embeddings of the texts to a file or, as JSON lines, to stdout.

    Parameters
    ----------
    args
        Parsed arguments of ``encode``.
    """
    import time
    from contextlib import ExitStack
    from pathlib import Path

    from text2vec.cli.blocks import encode_blocks
    from text2vec.files.embedding_files import check_embedding_path

    output = None if args.output in {None, "-"} else Path(args.output)
    source = _text_source(args)
    if output is None and args.format not in {None, "jsonl"}:
        args.parser.error(f"--format {args.format} needs --output FILE; stdout takes JSON lines")
    if output is not None:
        check_embedding_path(output, args.format)
        if source.path is not None and output.exists() and output.samefile(source.path):
            args.parser.error(f"--output {output} would overwrite the input")
    model = open_model(args)
    started = time.perf_counter()
    n_texts = 0
    with ExitStack() as stack:
        writer = _open_output(stack, output, args.format)
        for block in encode_blocks(model, source, args):
            writer.write([record.texts[0] for record in block.records], block.embeddings)
            n_texts += len(block.records)
    if output is not None:
        _summarise(args, n_texts, block, time.perf_counter() - started)


def run_similarity(args: argparse.Namespace) -> None:
    """Print the score of two texts, or of every pair of a file.

    Parameters
    ----------
    args
        Parsed arguments of ``similarity``.
    """
    from text2vec.cli.blocks import encode_blocks

    source = _pair_source(args)
    model = open_model(args)
    for block in encode_blocks(model, source, args):
        firsts, seconds = block.embeddings[0::2], block.embeddings[1::2]
        scores = model.similarity_pairwise(firsts, seconds).tolist()
        for (_, (first, second)), score in zip(block.records, scores, strict=True):
            if args.json:
                _print_json({"sentence1": first, "sentence2": second, "score": score})
            else:
                sys.stdout.write(f"{score:.6f}\n")


def run_search(args: argparse.Namespace) -> None:
    """Print the rows of a file that are nearest to the query, best first.

    Parameters
    ----------
    args
        Parsed arguments of ``search``.
    """
    import heapq

    source = _file_source(args, (args.column,))
    model = open_model(args)
    # nlargest holds top_k rows at a time, and of equal scores the earlier row comes first.
    best = heapq.nlargest(args.top_k, _scored_rows(model, source, args), key=lambda hit: hit[0])
    hits = [
        {"rank": rank, "score": score, "line": line, "text": text}
        for rank, (score, line, text) in enumerate(best, start=1)
    ]
    if args.json:
        _print_json({"query": args.query, "hits": hits})
        return
    for score, line, text in best:
        shown = "".join(c if c.isprintable() else " " for c in text[:_SHOWN_CHARACTERS])
        sys.stdout.write(f"{score:9.6f}  {source.name}:{line}  {shown}\n")


def _scored_rows(
    model: SentenceModel, source: TextSource, args: argparse.Namespace
) -> Iterator[tuple[float, int, str]]:
    from text2vec.cli.blocks import encode_blocks, encode_texts
    from text2vec.evaluation.subject import role_prompts

    prompts = role_prompts(model)
    query = encode_texts(model, [args.query], args, prompts.get("query")).embeddings
    for block in encode_blocks(model, source, args, prompts.get("document")):
        # Row by row: in a matrix product equal rows may differ in their last bit.
        queries = query.repeat(len(block.embeddings), axis=0)
        scores = model.similarity_pairwise(queries, block.embeddings).tolist()
        for (line, (text,)), score in zip(block.records, scores, strict=True):
            yield score, line, text


def _text_source(args: argparse.Namespace) -> TextSource:
    from text2vec.cli.blocks import typed_source

    if args.texts:
        if args.input is not None:
            args.parser.error("give either TEXT or --input, not both")
        return typed_source([(text,) for text in args.texts])
    if args.input is None and sys.stdin.isatty():
        args.parser.error("nothing to encode: give TEXT, or --input FILE, or --input - to type")
    return _file_source(args, (args.column,))


def _pair_source(args: argparse.Namespace) -> TextSource:
    from text2vec.cli.blocks import typed_source

    if args.input is not None:
        if args.sentences:
            args.parser.error("give either two texts or --input, not both")
        return _file_source(args, tuple(args.columns))
    if len(args.sentences) != 2:
        args.parser.error(f"expected two texts, or --input FILE; found {len(args.sentences)} texts")
    return typed_source([tuple(args.sentences)])


def _file_source(args: argparse.Namespace, columns: tuple[str, ...]) -> TextSource:
    from pathlib import Path

    from text2vec.cli.blocks import file_source, stream_source

    if args.input not in {None, "-"}:
        return file_source(Path(args.input), columns)
    if len(columns) > 1:
        args.parser.error("pairs cannot be read from stdin, which has a text a line; give a file")
    return stream_source(sys.stdin.buffer)


def _open_output(stack: ExitStack, output: Path | None, file_format: str | None) -> EmbeddingWriter:
    from text2vec.files.embedding_files import open_embedding_file
    from text2vec.files.jsonl_file import JsonLinesWriter

    if output is None:
        sys.stdout.flush()
        return JsonLinesWriter(sys.stdout.buffer)
    return stack.enter_context(open_embedding_file(output, file_format))


def _summarise(args: argparse.Namespace, n_texts: int, last: Block, seconds: float) -> None:
    dim, dtype = last.embeddings.shape[1], str(last.embeddings.dtype)
    rate = n_texts / max(seconds, 1e-9)
    if args.json:
        summary = {"output": args.output, "texts": n_texts, "dim": dim}
        summary |= {"dtype": dtype, "seconds": seconds, "texts_per_second": rate}
        _print_json({**summary, "truncated": last.n_cut})
    elif not args.quiet:
        sys.stderr.write(
            f"text2vec: wrote {n_texts} x {dim} {dtype} to {args.output} "
            f"in {seconds:.1f} s ({rate:,.0f} texts/s)\n"
        )


def _print_json(value: dict[str, object]) -> None:
    import json

    # A file's name may hold bytes that are no UTF-8; texts may not.
    line = json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()
    sys.stdout.write(f"{line}\n")
