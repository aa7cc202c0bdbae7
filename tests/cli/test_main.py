from __future__ import annotations

import errno
import logging
import os
import shlex
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from text2vec.cli.main import EXIT_CODES, build_parser, main
from text2vec.errors import DataFormatError, MissingExtraError, ModelNotFoundError

COMMANDS = ["encode", "similarity", "search", "info", "build-model"]


@pytest.fixture
def fail(model):
    def fail(error):
        def encode_result(*_, **__):
            raise error

        model.encode_result = encode_result

    return fail


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_has_examples(run, command):
    result = run(command, "--help")
    assert result.code == 0
    assert f"text2vec {command}" in result.out.partition("examples:")[2]
    assert "--json" in result.out


def test_help_names_every_command(run):
    result = run("--help")
    assert result.code == 0
    assert all(command in result.out for command in COMMANDS)


def test_version(run, monkeypatch):
    monkeypatch.setattr("text2vec.__version__", "9.8.7", raising=False)
    assert run("--version") == (0, "text2vec 9.8.7\n", "")


HEAVY = """
import atexit, sys
from text2vec.cli.main import main
heavy = {"numpy", "tokenizers", "torch", "tqdm", "pyarrow"}
atexit.register(lambda: print("heavy:", sorted(heavy & set(sys.modules))))
main(%r)
"""


@pytest.mark.parametrize("words", [["--help"], ["encode", "--help"], ["encode", "--nonsense"]])
def test_start_imports_nothing_heavy(words):
    command = [sys.executable, "-c", HEAVY % words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("heavy: []\n"), done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "required: COMMAND"),
        (["nonsense"], "invalid choice"),
        (["encode", "a", "--input", "b.txt"], "give either TEXT or --input, not both"),
        (["encode", "a", "--format", "npy"], "--format npy needs --output FILE"),
        (["encode", "a", "--precision", "int8"], "--precision"),
        (["encode", "a", "--chunk-size", "0"], "'0' is not a whole number of 1 or more"),
        (["encode", "a", "--chunk-size", "1.5"], "'1.5' is not a whole number"),
        (["encode", "--input", ""], "the name of a file is empty"),
        (["encode", "a", "--prompt", "x", "--prompt-name", "y"], "not allowed with"),
        (["encode", "a", "--norm"], "unrecognized arguments: --norm"),
        (["encode", "ok", "a\udcff"], "texts: 'a\\udcff' is not valid UTF-8"),
        (["search", "\ud800", "--input", "a.txt"], "query: '\\ud800' is not valid UTF-8"),
        (["encode", "a", "--prompt", "\udc80"], "prompt: '\\udc80' is not valid UTF-8"),
        (["similarity", "a"], "expected two texts, or --input FILE; found 1 texts"),
        (["similarity", "a", "b", "--input", "c.tsv"], "either two texts or --input"),
        (["similarity", "--input", "-"], "pairs cannot be read from stdin"),
        (["search", "a"], "--input"),
    ],
)
def test_wrong_usage_is_two(run, model, words, message):
    result = run(*words)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert model.calls == []


def test_encode_from_a_terminal_asks_for_texts(run):
    result = run("encode", terminal=True)
    assert result.code == 2
    assert "nothing to encode: give TEXT" in result.err


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ModelNotFoundError("no model 'x'"), "no model 'x'"),
        (MissingExtraError("pip install y"), "pip install y"),
        (DataFormatError("a.csv:3: expected\nthis"), "a.csv:3: expected this"),
        (OSError(), "OSError"),
        (
            OSError(errno.ENOSPC, "No space left on device", "o.npy"),
            "o.npy: No space left on device",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
    ],
)
def test_expected_error_is_one_line_and_one(run, fail, error, line):
    fail(error)
    assert run("encode", "a") == (1, "", f"text2vec: error: {line}\n")


def test_value_that_this_package_refuses_is_one_line_and_one(run, tmp_path):
    result = run("encode", "a", "--output", tmp_path / "o.zip")
    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
    assert "o.zip: unknown format 'zip'; expected a name that ends in .npy" in result.err


@pytest.mark.parametrize("kind", [TypeError, RuntimeError, AssertionError, ValueError])
def test_unexpected_error_is_a_traceback(run, fail, kind):
    fail(kind("bug"))
    with pytest.raises(kind, match="bug"):
        run("encode", "a")


@pytest.mark.parametrize("name", ["o.npy", "o.jsonl", "o.parquet"])
def test_interrupt_is_130_and_leaves_nothing(tmp_path, run, model, name):
    encode = model.encode_result

    def interrupted(texts, **options):
        if model.calls:
            raise KeyboardInterrupt
        return encode(texts, **options)

    model.encode_result = interrupted
    result = run("encode", "a", "b", "--chunk-size", 1, "--output", tmp_path / name)
    assert result == (130, "", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without asking it")
def test_sigterm_unwinds_and_leaves_nothing(tmp_path, run, model):
    encode = model.encode_result

    def killed(texts, **options):
        if model.calls:
            os.kill(os.getpid(), signal.SIGTERM)
        return encode(texts, **options)

    model.encode_result = killed
    before = signal.getsignal(signal.SIGTERM)
    result = run("encode", "a", "b", "--chunk-size", 1, "--output", tmp_path / "o.npy")
    assert result.code == 143
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is before


def test_main_runs_in_another_thread(model):
    codes = []
    words = ["encode", "a", "--quiet"]
    thread = threading.Thread(
        target=lambda: codes.append(main(words, model_factory=lambda *_, **__: model))
    )
    thread.start()
    thread.join()
    assert codes == [0]


@pytest.mark.skipif(os.name == "nt", reason="Windows reports a closed pipe as EINVAL")
def test_broken_pipe_is_quiet():
    code = (
        "import sys\n"
        "from text2vec.cli import texts\n"
        "from text2vec.cli.main import main\n"
        "def write(args):\n"
        "    while True: sys.stdout.write('x' * 10_000)\n"
        "texts.run_encode = write\n"
        "sys.exit(main(['encode', 'a']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.read(5) == b"xxxxx"
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


def test_output_is_utf8_in_an_ascii_locale():
    code = (
        "import sys\n"
        "from text2vec.cli import texts\n"
        "from text2vec.cli.main import main\n"
        "texts.run_encode = lambda args: sys.stdout.write(args.texts[0])\n"
        "sys.exit(main(['encode', chr(33590)]))\n"
    )
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=environment, check=True
    )
    assert done.stdout == "茶".encode()


def test_logged_warnings_are_notes_unless_quiet(run, model):
    encode = model.encode_result

    def warn(texts, **options):
        logging.getLogger("text2vec.somewhere").warning("mean pooling is assumed")
        return encode(texts, **options)

    model.encode_result = warn
    assert run("encode", "a").err == "text2vec: note: mean pooling is assumed\n"
    assert run("encode", "a", "--quiet").err == ""
    assert logging.getLogger("text2vec").handlers == []


@pytest.mark.parametrize("words", [["--json", "info"], ["info", "--json"]])
def test_general_options_before_or_after_the_command(words):
    args = build_parser().parse_args(words)
    assert (args.json, args.quiet) == (True, False)


def test_exit_codes_are_looked_up_from_the_special_to_the_general():
    kinds = list(EXIT_CODES)
    assert all(
        not issubclass(later, kind) for n, kind in enumerate(kinds) for later in kinds[n + 1 :]
    )


@pytest.mark.skipif(os.name == "nt", reason="a shell of its own")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams_do_no_harm(closed, model_folder, tmp_path):
    words = [sys.executable, "-m", "text2vec.cli.main", "encode", "a", "--output", "a.npy"]
    command = f"{shlex.join([*words, '--model', str(model_folder('bert'))])} {closed}"
    done = subprocess.run(command, shell=True, cwd=tmp_path, check=False)
    assert done.returncode == 0
    assert np.load(tmp_path / "a.npy").shape == (1, 32)
