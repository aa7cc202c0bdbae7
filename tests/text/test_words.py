from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile

import pytest

import text2vec.text.words as words_module
from text2vec.errors import DataFormatError, MissingExtraError
from text2vec.text.words import check_unit, dictionary_words, load_stop_words, segment


@functools.cache
def jieba_tokenizer():
    """The oracle: jieba left to itself, but for its log and its cache folder."""
    jieba = words_module._load_jieba()
    jieba.setLogLevel("ERROR")
    tokenizer = jieba.Tokenizer()
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.tmp_dir = folder
        tokenizer.initialize()
    return tokenizer


def jieba_words(text, **options):
    return [word for word in jieba_tokenizer().lcut(text, **options) if word.strip()]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "如何更换花呗绑定银行卡",
        "Hello, world! v2.0-beta",
        "他说：“你好 吗？”\n好。\u3000完",
        "a\x00b\ud800c",
    ],
)
def test_segment_word_matches_jieba(text):
    assert segment(text, "word") == jieba_words(text)


def test_segment_word_long_text_matches_jieba_uncut():
    text = "今天天气很好，我们去公园散步；the weather isn't bad (22.5°C)。\n" * 100
    assert len(text) > 3000
    assert segment(text, "word") == jieba_words(text)


def test_segment_word_endless_run_is_cut_and_keeps_every_letter():
    text = "龘" * 50_000  # 4 s if jieba is given it in one piece
    words = segment(text, "word")
    assert "".join(words) == text
    assert max(map(len, words)) <= 1000
    assert segment("a" * 1500, "word") == ["a" * 1000, "a" * 500]


@pytest.mark.parametrize("text", ["", "你 好\u3000a\n", "a\x00\ud800😀"])
def test_segment_char_keeps_every_character(text):
    assert segment(text, "char") == [text[i : i + 1] for i in range(len(text))]


def test_dictionary_words_match_jieba_full_mode():
    for word in ("特价机票", "清华大学", "hello world", "龘", ""):
        assert dictionary_words(word) == jieba_words(word, cut_all=True)


@pytest.mark.parametrize("text", [None, 3, b"a", ["a"]])
def test_segment_not_a_text_raises(text):
    with pytest.raises(TypeError, match=f"must be a str, got {type(text).__name__}"):
        segment(text, "char")


def test_unknown_unit_raises_and_names_the_known_ones():
    with pytest.raises(ValueError, match="unknown unit 'letter'; expected one of word, char"):
        check_unit("letter")
    with pytest.raises(ValueError, match="unknown unit None"):
        segment("a", None)


def test_missing_jieba_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "jieba", None)
    check_unit("char")
    with pytest.raises(MissingExtraError, match=r"pip install 'text2vec\[zh\]'"):
        check_unit("word")


def test_jieba_is_quiet_and_leaves_the_temporary_folder_alone(tmp_path):
    # a planted cache must not be read, nor a new one written; everything is compiled anew, so
    # that jieba's old escape sequences are seen by the compiler
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    (temporary / "jieba.cache").write_bytes(b"planted")
    script = (
        "from text2vec.text.words import segment\n"
        "print(ascii(segment('\\u94f6\\u884c\\u5361', 'word')))"
    )
    environment = os.environ | {
        "TMPDIR": str(temporary),
        "TEMP": str(temporary),
        "TMP": str(temporary),
        "PYTHONPYCACHEPREFIX": str(tmp_path / "pycache"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == (r"['\u94f6\u884c\u5361']", "")
    assert [path.name for path in temporary.iterdir()] == ["jieba.cache"]
    assert (temporary / "jieba.cache").read_bytes() == b"planted"


def test_import_is_light():
    script = "import sys, text2vec.text.words; print('jieba' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_dictionary_is_read_once():
    assert words_module._jieba_tokenizer() is words_module._jieba_tokenizer()


def test_load_stop_words_strips_and_skips_empty_lines(tmp_path):
    path = tmp_path / "stop_words.txt"
    path.write_bytes("\ufeff的\r\n\r\n  了 \n#\n\u3000\n的".encode())
    assert load_stop_words(path) == {"的", "了", "#"}
    assert load_stop_words(str(path)) == {"的", "了", "#"}


def test_load_stop_words_empty_file_gives_no_words(tmp_path):
    path = tmp_path / "stop_words.txt"
    path.write_bytes(b"")
    assert load_stop_words(path) == frozenset()


def test_load_stop_words_other_encoding_names_the_line(tmp_path):
    path = tmp_path / "stop_words.txt"
    path.write_bytes(b"a\n" + "的".encode("gbk") + b"\n")
    with pytest.raises(DataFormatError, match=r"stop_words\.txt:2: expected a UTF-8 word"):
        load_stop_words(path)


def test_load_stop_words_missing_file_raises(tmp_path):
    with pytest.raises(FileNotFoundError, match="none"):
        load_stop_words(tmp_path / "none")
