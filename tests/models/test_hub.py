"""The real huggingface_hub against a hub on loopback: what is fetched, and how it fails."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants

from tests.hub import LocalHub, commit_of
from text2vec.errors import ModelNotFoundError
from text2vec.models.hub import ModelSource, fetch_snapshot

NAME = "owner/tiny"
SOURCE = Path(__file__).parents[2] / "src"
VARIABLES = (
    *("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"),
    *("HF_ENDPOINT", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"),
)
PLAIN = ["config.json", "model.safetensors", "tokenizer.json"]
MODULES = ["", "1_Pooling", "2_Dense", "3_Normalize"]


@pytest.fixture(autouse=True)
def clean_library(monkeypatch, tmp_path) -> Iterator[None]:
    """Hide this machine's login, proxies and cache from huggingface_hub."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "home"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no_token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_SYMLINKS_WARNING", True)
    # Else it asks its own endpoint, read at import, for a list of agents.
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    huggingface_hub.close_session()
    yield
    huggingface_hub.close_session()


def write(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name} of {folder.name}", encoding="utf-8")
    return folder


def with_modules(folder: Path, paths: list[str]) -> Path:
    kinds = [path.partition("_")[2] or "Transformer" for path in paths]
    entries = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(zip(paths, kinds, strict=True))
    ]
    write(folder, "modules.json").joinpath("modules.json").write_text(json.dumps(entries))
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.fixture
def folder(tmp_path) -> Path:
    return write(tmp_path / "served", *PLAIN)


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def hub(folder, monkeypatch) -> Iterator[LocalHub]:
    with LocalHub({NAME: folder}) as local:
        monkeypatch.setenv("HF_ENDPOINT", local.endpoint)
        yield local


def test_fetch_takes_what_a_model_needs_and_no_more(hub, folder, cache):
    with_modules(folder, MODULES)
    needed = [
        *("config.json", "config_sentence_transformers.json", "sentence_bert_config.json"),
        *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"),
        *("sentencepiece.bpe.model", "spiece.model", "tokenizer.model", "vocab.json", "merges.txt"),
        *("added_tokens.json", "eval_results.txt", "model.safetensors"),
        *("1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors"),
    ]
    write(folder, *needed)
    write(
        folder,
        *("pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "rust_model.ot", "README.md"),
        *("onnx/model.onnx", "onnx/config.json", "onnx/tokenizer.json", "openvino/config.json"),
        *("openvino/openvino_model.bin", "2_Dense/pytorch_model.bin", "1_Pooling/notes.txt"),
        *("other/model.safetensors", "other/config.json", ".gitattributes"),
    )
    found = fetch_snapshot(ModelSource(NAME, cache_folder=cache))
    assert hub.downloads() == sorted([*needed, "modules.json"])
    served = files(folder)
    assert files(found) == {name: served[name] for name in hub.downloads()}
    assert found == cache / "models--owner--tiny" / "snapshots" / commit_of(folder)


def test_fetch_bin_only_for_modules_without_safetensors(hub, folder, cache):
    with_modules(folder, MODULES)
    write(folder, "1_Pooling/config.json", "2_Dense/config.json", "2_Dense/pytorch_model.bin")
    write(folder, "pytorch_model.bin")
    found = fetch_snapshot(ModelSource(NAME, cache_folder=cache))
    assert (found / "2_Dense" / "pytorch_model.bin").is_file()
    assert not (found / "pytorch_model.bin").exists()


def test_fetch_plain_bin_model_is_quiet(hub, folder, cache, caplog, capfd):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    found = fetch_snapshot(ModelSource(NAME, cache_folder=cache))
    assert sorted(files(found)) == ["config.json", "pytorch_model.bin", "tokenizer.json"]
    assert caplog.text == ""
    assert "No files matched" not in capfd.readouterr().err


def test_fetch_shards_with_their_index(hub, folder, cache):
    (folder / "model.safetensors").unlink()
    shards = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    write(folder, *shards, "pytorch_model.bin")
    weights = {"weight_map": dict(zip("ab", shards, strict=True))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(weights))
    found = fetch_snapshot(ModelSource(NAME, cache_folder=cache))
    expected = {"config.json", "tokenizer.json", "model.safetensors.index.json", *shards}
    assert set(files(found)) == expected
    (found / shards[1]).unlink()
    with pytest.raises(ModelNotFoundError, match=r"has no model\.safetensors in"):
        fetch_snapshot(ModelSource(NAME, cache_folder=cache, local_files_only=True))


def test_fetch_single_file_beside_a_stale_index(hub, folder, cache):
    stale = {"weight_map": {"a": "model-00001-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(stale))
    found = fetch_snapshot(ModelSource(NAME, cache_folder=cache))
    assert (found / "model.safetensors").is_file()


def test_fetch_body_in_its_own_folder(hub, folder, cache):
    shutil.rmtree(folder)
    with_modules(folder, ["0_Transformer", "1_Pooling"])
    names = [f"0_Transformer/{name}" for name in (*PLAIN, "sentence_bert_config.json")]
    write(folder, *names, "1_Pooling/config.json", "model.safetensors", "0_Transformer/tf_model.h5")
    found = fetch_snapshot(ModelSource(NAME, cache_folder=cache))
    assert sorted(files(found)) == sorted([*names, "1_Pooling/config.json", "modules.json"])


def test_fetch_again_asks_once_and_downloads_nothing(hub, cache, capfd):
    first = fetch_snapshot(ModelSource(NAME, cache_folder=cache))
    hub.requests.clear()
    capfd.readouterr()
    assert fetch_snapshot(ModelSource(NAME, cache_folder=cache)) == first
    assert hub.requests == ["GET /api/models/owner/tiny/revision/main"]
    assert capfd.readouterr().err == ""  # no bars for nothing


def test_fetch_pinned_commit_again_asks_nothing(hub, folder, cache):
    pinned = ModelSource(NAME, revision=commit_of(folder), cache_folder=cache)
    first = fetch_snapshot(pinned)
    hub.requests.clear()
    assert fetch_snapshot(pinned) == first
    assert hub.requests == []


@pytest.mark.parametrize("lost", [None, *PLAIN])
def test_fetch_pinned_commit_that_an_older_version_cached(hub, folder, cache, lost):
    pinned = ModelSource(NAME, revision=commit_of(folder), cache_folder=cache)
    found = fetch_snapshot(pinned)
    forget_listing(cache)
    if lost:
        lose(found / lost)
    hub.requests.clear()
    assert files(fetch_snapshot(pinned)) == files(folder)
    assert hub.downloads() == ([lost] if lost else [])
    assert lost or hub.requests == []


def test_fetch_stays_with_one_commit_while_main_moves(hub, folder, tmp_path, cache, monkeypatch):
    old = Path(shutil.copytree(folder, tmp_path / "old"))
    hub.folder_by_name[f"{NAME}@old"] = old
    download = huggingface_hub.snapshot_download

    def download_and_push(*args, **options):
        found = download(*args, **options)
        write(folder, "special_tokens_map.json")
        return found

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download_and_push)
    found = fetch_snapshot(ModelSource(NAME, cache_folder=cache))
    assert found.name == commit_of(old)
    assert files(found) == files(old)


def test_fetch_follows_main_but_not_a_tag(hub, folder, tmp_path, cache):
    old = fetch_snapshot(ModelSource(NAME, cache_folder=cache))
    hub.folder_by_name[f"{NAME}@v1"] = Path(shutil.copytree(folder, tmp_path / "v1"))
    (folder / "config.json").write_text("changed")
    new = fetch_snapshot(ModelSource(NAME, cache_folder=cache))
    assert new != old
    assert files(new) == files(folder)
    assert fetch_snapshot(ModelSource(NAME, revision="v1", cache_folder=cache)) == old
    assert hub.downloads().count("model.safetensors") == 1


def test_fetch_into_the_library_cache_by_default(hub, tmp_path):
    assert fetch_snapshot(ModelSource(NAME)).is_relative_to(tmp_path / "home")


def test_fetch_bare_name_falls_back_to_sentence_transformers(hub, folder, tmp_path, cache):
    own = write(tmp_path / "own", *PLAIN)
    hub.folder_by_name = {"sentence-transformers/tiny": folder, "sentence-transformers/own": folder}
    hub.folder_by_name["own"] = own
    assert files(fetch_snapshot(ModelSource("tiny", cache_folder=cache))) == files(folder)
    assert files(fetch_snapshot(ModelSource("own", cache_folder=cache))) == files(own)
    offline = ModelSource("tiny", cache_folder=cache, local_files_only=True)
    assert files(fetch_snapshot(offline)) == files(folder)
    with pytest.raises(ModelNotFoundError, match=r"^gone: no folder .*sentence-transformers/gone"):
        fetch_snapshot(ModelSource("gone", cache_folder=cache))


def test_fetch_bare_name_does_not_fall_back_on_other_errors(hub, folder, cache):
    hub.folder_by_name = {"tiny": folder, "sentence-transformers/tiny": folder}
    with pytest.raises(ModelNotFoundError, match=r"^tiny has no revision 'v9'"):
        fetch_snapshot(ModelSource("tiny", revision="v9", cache_folder=cache))


@pytest.mark.parametrize("kind", ["gated", "private"])
@pytest.mark.parametrize("way", ["argument", "HF_TOKEN"])
def test_fetch_guarded_model_needs_the_token(hub, folder, cache, monkeypatch, kind, way):
    setattr(hub, kind, (NAME,))
    message = {
        "gated": f"access to owner/tiny is restricted; ask at {hub.endpoint}/owner/tiny",
        "private": f"no model owner/tiny at {hub.endpoint}; .* HF_TOKEN",
    }[kind]
    with pytest.raises(ModelNotFoundError, match=message) as caught:
        fetch_snapshot(ModelSource(NAME, cache_folder=cache))
    assert isinstance(caught.value.__cause__, huggingface_hub.errors.RepositoryNotFoundError)
    with pytest.raises(ModelNotFoundError, match=message):
        fetch_snapshot(ModelSource(NAME, cache_folder=cache, token="hf_wrong"))
    if way == "HF_TOKEN":
        monkeypatch.setenv("HF_TOKEN", hub.token)
    token = hub.token if way == "argument" else None
    found = fetch_snapshot(ModelSource(NAME, cache_folder=cache, token=token))
    assert files(found) == files(folder)


def test_fetch_unknown_model_says_where_it_looked(hub, cache):
    with pytest.raises(ModelNotFoundError, match=f"^no folder and no model a/b at {hub.endpoint};"):
        fetch_snapshot(ModelSource("a/b", cache_folder=cache))


def test_fetch_401_without_a_code_is_an_unknown_model(hub, cache):
    hub.outage = 401  # as a mirror behind plain HTTP answers
    with pytest.raises(ModelNotFoundError, match="no folder and no model owner/tiny"):
        fetch_snapshot(ModelSource(NAME, cache_folder=cache))


def test_fetch_unknown_revision_says_so_even_if_main_is_cached(hub, cache):
    fetch_snapshot(ModelSource(NAME, cache_folder=cache))
    with pytest.raises(
        ModelNotFoundError, match="owner/tiny has no revision 'v9' at http"
    ) as caught:
        fetch_snapshot(ModelSource(NAME, revision="v9", cache_folder=cache))
    assert isinstance(caught.value.__cause__, huggingface_hub.errors.RevisionNotFoundError)


@pytest.mark.parametrize(
    "name", ["a--b", "owner/na me", "owner/", "-x/y", "x.git", "a" * 97, "é/e"]
)
def test_fetch_invalid_name_asks_nobody(hub, cache, name):
    with pytest.raises(ModelNotFoundError, match="is no folder and no valid model name"):
        fetch_snapshot(ModelSource(name, cache_folder=cache))
    assert hub.requests == []


@pytest.mark.parametrize("variable", [None, "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_fetch_offline_uses_the_cache_and_asks_nobody(hub, folder, cache, monkeypatch, variable):
    source = ModelSource(NAME, cache_folder=cache, local_files_only=variable is None)
    if variable:
        monkeypatch.setenv(variable, "1")
    message = r"owner/tiny \(revision 'main'\) is not in .*cache, and we are offline"
    with pytest.raises(ModelNotFoundError, match=message) as caught:
        fetch_snapshot(source)
    assert caught.value.__cause__ is not None
    assert hub.requests == []
    if variable:
        monkeypatch.delenv(variable)
    fetch_snapshot(ModelSource(NAME, cache_folder=cache))
    hub.requests.clear()
    if variable:
        monkeypatch.setenv(variable, "1")
    assert files(fetch_snapshot(source)) == files(folder)
    assert hub.requests == []


def test_fetch_unreachable_hub_is_no_error_if_cached(folder, cache, monkeypatch):
    with LocalHub({NAME: folder}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        fetch_snapshot(ModelSource(NAME, cache_folder=cache))
    assert files(fetch_snapshot(ModelSource(NAME, cache_folder=cache))) == files(folder)
    message = f"a/b .*is not in .*cache, and {hub.endpoint} did not give it: ConnectError"
    with pytest.raises(ModelNotFoundError, match=message) as caught:
        fetch_snapshot(ModelSource("a/b", cache_folder=cache))
    assert caught.value.__cause__ is not None


def test_fetch_hub_out_of_order_is_no_error_if_cached(hub, folder, cache):
    hub.outage = 503
    with pytest.raises(ModelNotFoundError, match="did not give it: it answered 503; check"):
        fetch_snapshot(ModelSource(NAME, cache_folder=cache))
    hub.outage = None
    fetch_snapshot(ModelSource(NAME, cache_folder=cache))
    hub.outage = 503
    assert files(fetch_snapshot(ModelSource(NAME, cache_folder=cache))) == files(folder)


def test_fetch_from_what_is_no_hub_says_so(hub, cache, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", f"{hub.endpoint}/elsewhere/")
    with pytest.raises(ModelNotFoundError, match="/elsewhere did not give it: it answered 404"):
        fetch_snapshot(ModelSource(NAME, cache_folder=cache))


def test_fetch_from_a_login_page_says_so(hub, cache, monkeypatch):
    monkeypatch.setattr("tests.hub._info", lambda *_, **__: ["please", "log in"])
    with pytest.raises(ModelNotFoundError, match=f"cannot be got from {hub.endpoint}: "):
        fetch_snapshot(ModelSource(NAME, cache_folder=cache))


@pytest.mark.parametrize("endpoint", ["huggingface.co", "ftp://a.b", "http://", "http://a b/c"])
def test_fetch_malformed_endpoint_is_named(cache, monkeypatch, endpoint):
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    with pytest.raises(ModelNotFoundError, match=r"HF_ENDPOINT is '.*'; expected a URL such as"):
        fetch_snapshot(ModelSource(NAME, cache_folder=cache))


@pytest.mark.parametrize(
    "fault", [OSError(errno.ENOSPC, "full"), RuntimeError("Xet: No space left on device")]
)
def test_fetch_on_a_full_disk_leaves_nothing_half_written(hub, folder, cache, monkeypatch, fault):
    def write_some(url, temp_file, **options):
        temp_file.write(b"half")
        raise fault

    with monkeypatch.context() as patch:
        patch.setattr("huggingface_hub.file_download.http_get", write_some)
        with pytest.raises(
            ModelNotFoundError, match=r"no space left in .*cache for owner/tiny"
        ) as e:
            fetch_snapshot(ModelSource(NAME, cache_folder=cache))
    assert e.value.__cause__ is fault
    assert b"half" not in files(cache).values()
    assert files(fetch_snapshot(ModelSource(NAME, cache_folder=cache))) == files(folder)


def test_fetch_into_a_cache_that_is_a_file_says_so(hub, cache):
    cache.write_text("not a folder")
    with pytest.raises(ModelNotFoundError, match=r"owner/tiny cannot be kept in .*cache: .*choose"):
        fetch_snapshot(ModelSource(NAME, cache_folder=cache))


def lose(path: Path) -> None:
    """Remove a file of a snapshot, and its content."""
    path.resolve().unlink()
    path.unlink(missing_ok=True)


def forget_listing(cache: Path) -> None:
    """Leave the cache as huggingface_hub below 2 leaves it: without a list of the files."""
    for trees in cache.glob("*/trees"):
        shutil.rmtree(trees)
    with contextlib.suppress(AttributeError):
        huggingface_hub._tree_cache._IN_MEMORY_TREE_CACHE.clear()


@pytest.mark.parametrize("lost", PLAIN)
@pytest.mark.parametrize("listed", [True, False], ids=["listed", "as older versions left it"])
def test_fetch_incomplete_snapshot_fails_offline_and_is_mended_online(
    hub, folder, cache, lost, listed
):
    found = fetch_snapshot(ModelSource(NAME, cache_folder=cache))
    lose(found / lost)
    if not listed:
        forget_listing(cache)
    with pytest.raises(
        ModelNotFoundError, match=rf"(incomplete|has no).*{lost}.* load it once onl"
    ):
        fetch_snapshot(ModelSource(NAME, cache_folder=cache, local_files_only=True))
    assert files(fetch_snapshot(ModelSource(NAME, cache_folder=cache))) == files(folder)


def test_fetch_link_to_nothing_counts_as_missing(hub, folder, cache):
    weights = fetch_snapshot(ModelSource(NAME, cache_folder=cache)) / "model.safetensors"
    if not weights.is_symlink():
        pytest.skip("no links on this machine")
    weights.resolve().unlink()
    with pytest.raises(ModelNotFoundError, match=r"has no model\.safetensors in"):
        fetch_snapshot(ModelSource(NAME, cache_folder=cache, local_files_only=True))
    assert files(fetch_snapshot(ModelSource(NAME, cache_folder=cache))) == files(folder)


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (["README.md"], r"owner/tiny has no config\.json, model\.safetensors, tokenizer\.json in"),
        (["config.json", "tokenizer.json", "onnx/model.onnx"], r"has no model\.safetensors in"),
        (["config.json", "model.safetensors"], r"has no tokenizer\.json in"),
    ],
)
def test_fetch_what_is_no_model_says_what_is_missing(hub, folder, cache, kept, message):
    shutil.rmtree(folder)
    write(folder, *kept)
    with pytest.raises(ModelNotFoundError, match=message):
        fetch_snapshot(ModelSource(NAME, cache_folder=cache))


@pytest.mark.parametrize(
    "text", ["", "{}", '["a"]', "[" * 100_000, '[{"path": ""}]', "\xff", "[3]"]
)
def test_fetch_malformed_modules_are_left_to_the_reader(hub, folder, cache, text):
    (folder / "modules.json").write_bytes(text.encode("latin-1"))
    found = fetch_snapshot(ModelSource(NAME, cache_folder=cache))
    assert (found / "modules.json").read_bytes() == text.encode("latin-1")


@pytest.mark.parametrize("path", ["../other", "/etc", "a/../../b", "*", "..", "C:\\a"])
def test_fetch_module_outside_the_folder_is_not_fetched(hub, folder, tmp_path, cache, path):
    with_modules(folder, ["", "1_Pooling"])
    write(folder, "1_Pooling/config.json", "rest/config.json")
    entries = json.loads((folder / "modules.json").read_text())
    entries.append({"path": path, "type": "x.Dense"})
    (folder / "modules.json").write_text(json.dumps(entries))
    found = fetch_snapshot(ModelSource(NAME, cache_folder=cache))
    assert sorted(files(found)) == sorted([*PLAIN, "modules.json", "1_Pooling/config.json"])


def test_fetch_names_this_library_and_leaves_the_environment_alone(hub, cache):
    before = dict(os.environ)
    fetch_snapshot(ModelSource(NAME, cache_folder=cache))
    assert dict(os.environ) == before
    assert hub.agents
    assert all(agent.startswith("text2vec/") for agent in hub.agents)
    assert hub.count("POST|telemetry") == 0


def test_fetch_in_a_fresh_process_honours_the_environment(hub, folder, tmp_path):
    code = (
        "import sys, warnings; warnings.simplefilter('error')\n"
        "from text2vec.models.locate import ModelSource, locate_model\n"
        "assert 'huggingface_hub' not in sys.modules\n"
        f"print(locate_model(ModelSource({NAME!r})))\n"
    )
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "XDG_"))}
    env = keep | {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_SYMLINKS_WARNING": "1",
        "PYTHONPATH": str(SOURCE),
    }
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found = Path(run.stdout.strip())
    assert found.is_relative_to(tmp_path / "hf" / "hub")
    assert files(found) == files(folder)


def test_local_hub_serves_ranges(hub, folder):
    url = f"{hub.endpoint}/{NAME}/resolve/main/config.json"
    whole = (folder / "config.json").read_bytes()
    for wanted, expected, note in [
        ("bytes=2-4", whole[2:5], f"bytes 2-4/{len(whole)}"),
        ("bytes=5-", whole[5:], f"bytes 5-{len(whole) - 1}/{len(whole)}"),
    ]:
        request = urllib.request.Request(url, headers={"Range": wanted})
        with urllib.request.urlopen(request) as response:
            assert response.status == 206
            assert response.read() == expected
            assert response.headers["Content-Range"] == note
