from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

TEXTS = ["一个女孩", "", 'a, "b"', "dup", "dup", " padded "]


def make_input(folder, suffix):
    path = folder / f"in{suffix}"
    quoted = (text.replace('"', '""') for text in TEXTS)
    data = {
        ".txt": "".join(f"{text}\n" for text in TEXTS),
        ".jsonl": "".join(f"{json.dumps({'text': text})}\n" for text in TEXTS),
        ".csv": "text,id\n" + "".join(f'"{text}",1\n' for text in quoted),
        ".tsv": "id\ttext\n" + "".join(f"1\t{text}\n" for text in TEXTS),
    }
    if suffix == ".parquet":
        pa = pytest.importorskip("pyarrow", reason="extra parquet is not installed")
        pq = pytest.importorskip("pyarrow.parquet", reason="extra parquet is not installed")
        pq.write_table(pa.table({"text": TEXTS}), path)
    elif suffix.endswith(".gz"):
        path.write_bytes(gzip.compress(data[suffix.removesuffix(".gz")].encode()))
    else:
        path.write_bytes(data[suffix].encode())
    return path


def load_output(path):
    if path.suffix == ".npy":
        return None, np.load(path)
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    else:
        pq = pytest.importorskip("pyarrow.parquet", reason="extra parquet is not installed")
        rows = pq.read_table(path).to_pylist()
    return [row["text"] for row in rows], np.array([row["embedding"] for row in rows], np.float32)


@pytest.mark.parametrize("output", ["out.npy", "out.jsonl", "out.parquet"])
@pytest.mark.parametrize(
    "suffix",
    [".txt", ".jsonl", ".csv", ".tsv", ".txt.gz", ".jsonl.gz", ".csv.gz", ".tsv.gz", ".parquet"],
)
def test_encode_every_input_and_output_gives_the_same_vectors(tmp_path, run, model, suffix, output):
    expected = np.array([model.vector(text) for text in TEXTS])
    path = make_input(tmp_path, suffix)
    result = run("encode", "--input", path, "--output", tmp_path / output, "--chunk-size", 4)
    assert result.code == 0, result.err
    assert result.out == ""
    assert "wrote 6 x 8 float32" in result.err
    texts, embeddings = load_output(tmp_path / output)
    assert np.array_equal(embeddings, expected)
    assert texts in {None} if output == "out.npy" else texts == TEXTS
    assert model.calls == [4, 2]


def test_encode_arguments_to_stdout(run, model):
    result = run("encode", "茶", "", "--", "-dash")
    rows = [json.loads(line) for line in result.out.splitlines()]
    assert (result.code, result.err) == (0, "")
    assert [row["text"] for row in rows] == ["茶", "", "-dash"]
    assert np.array_equal(np.float32([row["embedding"] for row in rows])[0], model.vector("茶"))


@pytest.mark.parametrize("words", [(), ("--input", "-"), ("--output", "-"), ("--format", "jsonl")])
def test_encode_stdin_is_utf8_whatever_the_console_says(run, words):
    result = run("encode", *words, stdin="\ufeff茶\r\n\r\nb\n".encode())
    assert [json.loads(line)["text"] for line in result.out.splitlines()] == ["茶", "", "b"]


def test_encode_options_reach_the_model(tmp_path, run, model):
    out = tmp_path / "o.npy"
    words = [
        "--model",
        "some/name",
        "--revision",
        "v2",
        "--device",
        "cuda",
        "--batch-size",
        "7",
        "--max-seq-length",
        "5",
        "--num-threads",
        "3",
        "--engine",
        "native",
        "--dtype",
        "int8",
        "--truncate-dim",
        "4",
    ]
    others = ("--prompt", "p: ", "--normalize", "--precision", "float16", "--output", out)
    result = run("encode", "abc", *words, *others)
    assert result.code == 0
    asked = {"max_seq_length": 5, "num_threads": 3, "engine": "native", "dtype": "int8"}
    asked |= {"revision": "v2", "device": "cuda"}
    assert model.batch_sizes == [7]
    assert model.opened_with == ("some/name", asked)
    expected = model.vector("p: abc")[:4]
    expected = (expected / np.linalg.norm(expected)).astype(np.float16)
    assert np.load(out).dtype == np.float16
    assert np.array_equal(np.load(out)[0], expected)


def test_encode_prompt_name_and_binary(tmp_path, run, model):
    out = tmp_path / "o.npy"
    result = run("encode", "a", "--prompt-name", "q", "--precision", "ubinary", "--output", out)
    assert result.code == 0
    assert np.array_equal(np.load(out)[0], np.packbits(model.vector("query: a") > 0))


@pytest.mark.parametrize("name", ["o.npy", "o.jsonl", "o.parquet"])
def test_encode_no_texts_gives_an_empty_file(tmp_path, run, name):
    result = run("encode", "--output", tmp_path / name, stdin=b"")
    assert result.code == 0
    assert "wrote 0 x 8 float32" in result.err
    assert len(load_output(tmp_path / name)[1]) == 0


def test_encode_summary_as_json(tmp_path, run):
    out = tmp_path / "茶.npy"
    result = run("--json", "encode", "a", "b" * 30, "--output", out)
    summary = json.loads(result.out)
    assert summary["output"] == str(out)
    expected = {"texts": 2, "dim": 8, "dtype": "float32", "truncated": 1}
    assert {key: summary[key] for key in expected} == expected
    assert summary["texts_per_second"] > 0


def test_encode_cut_texts_are_reported_at_the_end(tmp_path, run):
    path = tmp_path / "a.csv"
    long = "x" * 21
    path.write_text(f'text\nok\n"{long}\n"\n{long}\n' + f"{long}\n" * 8, encoding="utf-8")
    result = run("encode", "--input", path, "--chunk-size", 2)
    places = ", ".join(f"{path}:{line}" for line in (3, 5, 6, 7, 8))
    assert result.err == (
        f"text2vec: note: 10 of the texts had more than 20 tokens and were cut: {places}, ...\n"
    )
    assert len(result.out.splitlines()) == 11
    assert run("encode", "--input", path, "--quiet").err == ""


def test_encode_few_cut_texts_are_all_named(run):
    result = run("encode", "y" * 20, "x" * 21)
    assert "note: 1 of the texts had more than 20 tokens and were cut: argument:2\n" in result.err


@pytest.mark.parametrize("name", ["o.npy", "o.jsonl", "o.parquet"])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            b'{"text": "a"}\n{"text": "b"}\n{"text": 3}\n',
            ":3: expected text in column 'text', found 3",
        ),
        (b'{"text": "a"}\n{"title": "b"}\n', ":2: expected column 'text', found columns ['title']"),
        (b'{"text": "a"}\n\xff\n', ":2: expected UTF-8, found byte 0xff at position 1 of the line"),
        (b'{"text": "a"}\nnothing\n', ":2: expected a JSON object (Expecting value at character 1"),
    ],
)
def test_encode_bad_row_leaves_no_output(tmp_path, run, data, message, name):
    path = tmp_path / "in.jsonl"
    path.write_bytes(data)
    result = run("encode", "--input", path, "--output", tmp_path / name, "--chunk-size", 1)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"text2vec: error: {path}{message}")
    assert result.err.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["in.jsonl"]


def test_encode_other_column(tmp_path, run, model):
    (tmp_path / "a.csv").write_text("text,title\na,b\n", encoding="utf-8")
    result = run("encode", "--input", tmp_path / "a.csv", "--column", "title")
    assert json.loads(result.out)["text"] == "b"


def test_encode_output_over_input_is_refused(tmp_path, run):
    path = make_input(tmp_path, ".jsonl")
    before = path.read_bytes()
    result = run("encode", "--input", path, "--output", tmp_path / "." / "in.jsonl")
    assert result.code == 2
    assert "would overwrite the input" in result.err
    assert path.read_bytes() == before


class EndlessLines(io.RawIOBase):
    """A stream that makes its lines as they are read, so that nothing but the reader holds them."""

    def __init__(self, n_lines):
        self.lines = (f"text number {n}, of a usual length\n".encode() for n in range(n_lines))

    def readable(self):
        return True

    def readinto(self, buffer):
        line = next(self.lines, b"")
        buffer[: len(line)] = line
        return len(line)


@pytest.mark.parametrize("output", ["o.npy", "o.jsonl"])
def test_encode_endless_stdin_in_bounded_memory(tmp_path, run, model, output):
    n_texts = 200_000 if output == "o.npy" else 20_000
    words = ["encode", "--output", tmp_path / output, "--chunk-size", 1000]
    model.encode_result = lambda texts, **_: SimpleNamespace(
        embeddings=np.ones((len(texts), 8), np.float32), truncated=np.zeros(len(texts), bool)
    )
    run(*words, stdin=EndlessLines(10))  # imports are not counted
    tracemalloc.start()
    result = run(*words, stdin=EndlessLines(n_texts))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert f"wrote {n_texts} x 8" in result.err
    assert peak < 3 * 2**20  # a chunk; all texts would be 16 MB and all embeddings 6.4 MB


def test_encode_answers_line_by_line(run, model):
    seen = []
    encode = model.encode_result
    model.encode_result = lambda texts, **options: (
        seen.append(list(texts)) or encode(texts, **options)
    )
    run("encode", "--chunk-size", 1, stdin=b"a\nb\n")
    assert seen == [["a"], ["b"]]


def test_similarity_of_two_texts(run, model):
    expected = float(model.similarity(model.vector("a")[None], model.vector("b")[None])[0, 0])
    assert run("similarity", "a", "b").out == f"{expected:.6f}\n"
    row = json.loads(run("similarity", "a", "b", "--json").out)
    assert row == {"sentence1": "a", "sentence2": "b", "score": pytest.approx(expected, abs=1e-6)}


@pytest.mark.parametrize("suffix", [".tsv", ".jsonl", ".csv"])
def test_similarity_of_a_file_of_pairs(tmp_path, run, model, suffix):
    pairs = [(f"left {n}", f"right {n % 7}") for n in range(150)]
    path = tmp_path / f"pairs{suffix}"
    if suffix == ".jsonl":
        rows = [json.dumps({"sentence1": a, "sentence2": b, "score": 1}) for a, b in pairs]
    else:
        comma = "," if suffix == ".csv" else "\t"
        rows = [
            comma.join(row) for row in [("sentence2", "sentence1"), *((b, a) for a, b in pairs)]
        ]
    path.write_text("\n".join(rows), encoding="utf-8")
    left, right = (np.array([model.vector(pair[i]) for pair in pairs]) for i in (0, 1))
    expected = model.similarity(left, right).diagonal()
    result = run("similarity", "--input", path, "--chunk-size", 100)
    assert [float(line) for line in result.out.split()] == pytest.approx(expected, abs=1e-6)
    rows = [
        json.loads(line) for line in run("--json", "similarity", "--input", path).out.splitlines()
    ]
    assert [(row["sentence1"], row["sentence2"]) for row in rows] == pairs
    assert [row["score"] for row in rows] == pytest.approx(expected, abs=1e-6)


def test_similarity_cut_pair_is_named_by_its_row(tmp_path, run):
    path = tmp_path / "a.jsonl"
    path.write_text('{"q": "a", "a": "b"}\n{"q": "b", "a": "' + "x" * 21 + '"}\n', encoding="utf-8")
    result = run("similarity", "--input", path, "--columns", "q", "a")
    assert result.err.endswith(f"were cut: {path}:2\n")


def test_similarity_is_the_models_own(run, model):
    model.similarity_pairwise = lambda a, b: (a * b).sum(axis=1)
    expected = float(model.vector("a") @ model.vector("b"))
    assert float(run("similarity", "a", "b").out) == pytest.approx(expected, abs=1e-6)


def test_similarity_of_no_pairs_prints_nothing(tmp_path, run):
    (tmp_path / "a.jsonl").touch()
    assert run("similarity", "--input", tmp_path / "a.jsonl") == (0, "", "")


@pytest.mark.parametrize("chunk_size", [1, 7, 1000])
def test_search_agrees_with_sorting_everything(tmp_path, run, model, chunk_size):
    texts = [f"text {n % 40}" for n in range(60)]  # some twice: ties
    path = tmp_path / "a.txt"
    path.write_text("\n".join(texts), encoding="utf-8")
    vectors = np.array([model.vector(text) for text in texts])
    scores = model.similarity_pairwise(model.vector("text")[None].repeat(60, axis=0), vectors)
    expected = sorted(range(60), key=lambda place: (-scores[place], place))[:12]
    words = ("search", "text", "--input", path, "--chunk-size", chunk_size, "--top-k", 12)
    found = json.loads(run(*words, "--json").out)
    assert found["query"] == "text"
    assert [hit["line"] - 1 for hit in found["hits"]] == expected
    assert [hit["rank"] for hit in found["hits"]] == list(range(1, 13))
    assert [hit["text"] for hit in found["hits"]] == [texts[place] for place in expected]
    assert [hit["score"] for hit in found["hits"]] == pytest.approx(scores[expected], abs=1e-6)
    lines = run(*words).out.splitlines()
    assert lines[0].split("  ") == [
        f"{scores[expected[0]]:9.6f}",
        f"{path}:{expected[0] + 1}",
        texts[expected[0]],
    ]


@pytest.mark.parametrize(
    ("prompts", "words", "query", "document"),
    [
        ({}, (), "", ""),
        ({"query": "Q ", "passage": "P "}, (), "Q ", "P "),
        ({"query": "Q "}, (), "Q ", ""),
        ({"query": "Q ", "document": "D "}, ("--prompt", "x "), "x ", "x "),
        ({"query": "Q ", "document": "D "}, ("--prompt", ""), "", ""),
        ({"q": "", "query": "Q "}, ("--prompt-name", "q"), "query: ", "query: "),
    ],
)
def test_search_takes_the_models_prompts(prompts, words, query, document, run, model):
    model.prompts = prompts
    found = run("search", "a", "--input", "-", "--json", *words, stdin=b"b\n")
    vectors = model.vector(f"{query}a")[None], model.vector(f"{document}b")[None]
    score = json.loads(found.out)["hits"][0]["score"]
    assert score == pytest.approx(model.similarity_pairwise(*vectors)[0], abs=1e-6)


def test_search_shows_no_control_characters(run):
    result = run("search", "a", "--input", "-", stdin=b"a\x1b[31m\x00b\tc\n")
    assert result.out.endswith("<stdin>:1  a [31m b c\n")


def test_search_fewer_rows_than_asked(run):
    assert len(run("search", "a", "--input", "-", stdin=b"a\nb\n").out.splitlines()) == 2
    assert json.loads(run("search", "a", "--input", "-", "--json").out)["hits"] == []
