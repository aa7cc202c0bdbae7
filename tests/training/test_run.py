"""Whole runs on tiny models: what they write, and that a run in pieces is the same run."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from tests.training.conftest import scored_rows, write_jsonl
from text2vec import SentenceModel
from text2vec.errors import MissingExtraError, TrainingError
from text2vec.training.batches import Batch
from text2vec.training.preparation import prepare
from text2vec.training.recipe import parse_recipe
from text2vec.training.run import train
from text2vec.training.teacher import teacher_targets
from text2vec.training.tensors import TrainingData
from text2vec.training.trainer import PlanTrainer

pytestmark = pytest.mark.filterwarnings("default")  # of the libraries, on saving and loading

RECIPE = """
model = "{model}"
pooling = "{pooling}"
batch_pairs = 8
steps = 6
learning_rate = 1e-3
checkpoint_steps = 2
keep_checkpoints = 9
log_steps = 1
max_length = 32
loggers = ["csv"]
dropout = 0.1
freeze = ["word_embeddings"]
[[source]]
name = "a"
files = ["train/a.jsonl"]
loss = "cosent"
scale = [0, 5]
"""


def recipe(model, pooling="mean", more=""):
    return parse_recipe(RECIPE.format(model=model, pooling=pooling) + more)


def weights(folder):
    return load_file(folder / "model.safetensors")


def there_are(features):
    ids, mask = features["input_ids"], features["attention_mask"]
    return torch.ones_like(ids) if mask is None else mask


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    ("architecture", "pooling"),
    [("bert", "first_last_avg"), ("xlm-roberta", "mean"), ("ernie", "cls")],
)
def test_every_kind_of_the_cards_systems_trains_and_opens_again(
    architecture, pooling, model_folder, data_folder, tmp_path
):
    start = model_folder(architecture)
    train(recipe(start, pooling), data_folder, tmp_path / "out")
    before, after = weights(start), weights(tmp_path / "out")
    assert before.keys() == after.keys()
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed
    assert not any("word_embeddings" in name or "pooler" in name for name in changed)
    model = SentenceModel(tmp_path / "out")
    assert model.describe()["pooling"] == [pooling]
    found = model.encode(["a man"])
    oracle = SentenceModel(tmp_path / "out", engine="torch").encode(["a man"])
    np.testing.assert_allclose(found, oracle, atol=2e-5)


def test_the_written_folder_is_what_was_trained(model_folder, data_folder, tmp_path):
    from text2vec.training.network import open_network
    from text2vec.training.preparation import prepare
    from text2vec.training.scoring import open_scorer

    more = '[[evaluation]]\nname = "a"\nfiles = ["eval/a.jsonl"]\n'
    result = train(recipe(model_folder("bert"), more=more), data_folder, tmp_path / "out")
    again = recipe(tmp_path / "out", more=more)
    preparation = prepare(again, data_folder)
    network = open_network(preparation.spec, again).eval()
    scores = open_scorer(network, preparation, data_folder)()
    assert scores["mean"] == pytest.approx(result.after["mean"], abs=1e-6)
    card = (tmp_path / "out/README.md").read_text("utf-8")
    assert f"| a | {result.before['a']:.2f} | {result.after['a']:.2f} |" in card


@pytest.mark.parametrize(
    "n_steps", [3, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 4, 5))]
)
def test_a_run_stopped_at_any_step_and_resumed_ends_with_the_same_bits(
    n_steps, model_folder, data_folder, tmp_path, monkeypatch
):
    asked = recipe(model_folder("bert"))
    train(asked, data_folder, tmp_path / "whole")
    step = PlanTrainer.training_step

    def dies(self, *args):
        if self.state.global_step == n_steps:
            raise MemoryError("killed")
        return step(self, *args)

    monkeypatch.setattr(PlanTrainer, "training_step", dies)
    with pytest.raises(MemoryError, match="killed"):
        train(asked, data_folder, tmp_path / "cut")
    monkeypatch.setattr(PlanTrainer, "training_step", step)
    train(asked, data_folder, tmp_path / "cut", resume=True)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "cut"))


def test_ctrl_c_leaves_a_checkpoint_and_the_rest_gives_the_same_bits(
    model_folder, data_folder, tmp_path, monkeypatch
):
    asked = recipe(model_folder("bert"))
    train(asked, data_folder, tmp_path / "whole")
    step = PlanTrainer.training_step

    def interrupted(self, *args):
        if self.state.global_step == 2:
            signal.raise_signal(signal.SIGINT)
        return step(self, *args)

    monkeypatch.setattr(PlanTrainer, "training_step", interrupted)
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt):
        train(asked, data_folder, tmp_path / "cut")
    assert (tmp_path / "cut.training/checkpoint-3/trainer_state.json").is_file()
    monkeypatch.setattr(PlanTrainer, "training_step", step)
    train(asked, data_folder, tmp_path / "cut", resume=True)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "cut"))


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_checkpoint(
    model_folder, data_folder, tmp_path, monkeypatch
):
    asked = recipe(model_folder("bert"))
    loss = PlanTrainer.compute_loss

    def broken(self, *args, **keywords):
        found = loss(self, *args, **keywords)
        return found * float("nan") if self.state.global_step == 3 else found

    monkeypatch.setattr(PlanTrainer, "compute_loss", broken)
    with pytest.raises(TrainingError, match=r"the loss of a is nan at step 4; .*checkpoint-2"):
        train(asked, data_folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(PlanTrainer, "compute_loss", loss)
    train(asked, data_folder, tmp_path / "out", resume=True)


def test_a_full_disk_leaves_the_checkpoint_before_it_whole(
    model_folder, data_folder, tmp_path, monkeypatch
):
    from text2vec.training import trainer

    asked, save = recipe(model_folder("bert")), trainer.save_trained

    def full(module, folder):
        if "checkpoint-4" in folder.name:
            (folder / "trained.safetensors").write_bytes(b"half")
            raise OSError(28, "No space left on device")
        save(module, folder)

    monkeypatch.setattr(trainer, "save_trained", full)
    with pytest.raises(OSError, match="No space left"):
        train(asked, data_folder, tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out.training").glob("*checkpoint*"))
    assert names == ["checkpoint-2"]


def test_another_runs_checkpoints_are_refused(model_folder, data_folder, tmp_path):
    model = shutil.copytree(model_folder("bert"), tmp_path / "model")
    asked = recipe(model)
    train(asked, data_folder, tmp_path / "out")
    with pytest.raises(ValueError, match="holds checkpoints of an earlier run; expected --resume"):
        train(asked, data_folder, tmp_path / "out")
    start = (model / "model.safetensors").read_bytes()
    save_file({k: v + 1 for k, v in weights(model).items()}, model / "model.safetensors")
    with pytest.raises(ValueError, match="resuming would mix two runs"):
        train(asked, data_folder, tmp_path / "out", resume=True)
    (model / "model.safetensors").write_bytes(start)
    train(asked, data_folder, tmp_path / "out", resume=True)
    write_jsonl(data_folder / "train/a.jsonl", scored_rows(40, 7))
    with pytest.raises(ValueError, match="resuming would mix two runs"):
        train(asked, data_folder, tmp_path / "out", resume=True)


EVALUATION = '[[evaluation]]\nname = "a"\nfiles = ["eval/a.jsonl"]\n'


def dies_at_once(*args):
    raise MemoryError("killed")


def test_another_runs_scores_and_log_are_not_taken_over(
    model_folder, data_folder, tmp_path, monkeypatch
):
    asked = recipe(model_folder("bert"), more=EVALUATION)
    step = PlanTrainer.training_step
    monkeypatch.setattr(PlanTrainer, "training_step", dies_at_once)
    with pytest.raises(MemoryError, match="killed"):
        train(asked, data_folder, tmp_path / "out")
    monkeypatch.setattr(PlanTrainer, "training_step", step)
    log = tmp_path / "out.training/log.csv"
    log.write_text("step,seconds,name,value\n1,0.0,loss,77\n", encoding="utf-8")
    (evaluation,) = asked.evaluation
    renamed = dataclasses.replace(
        asked,
        model=str(model_folder("ernie")),
        evaluation=(dataclasses.replace(evaluation, name="b"),),
    )
    result = train(renamed, data_folder, tmp_path / "out")
    assert result.before.keys() == result.after.keys() == {"b", "mean"}
    expected = train(renamed, data_folder, tmp_path / "alone")
    assert result.before == expected.before
    assert ",loss,77" not in log.read_text("utf-8")


def test_a_resumed_run_keeps_its_scores_and_adds_to_its_log(
    model_folder, data_folder, tmp_path, monkeypatch
):
    asked = recipe(model_folder("bert"), more=EVALUATION)
    step = PlanTrainer.training_step

    def dies(self, *args):
        if self.state.global_step == 3:
            raise MemoryError("killed")
        return step(self, *args)

    monkeypatch.setattr(PlanTrainer, "training_step", dies)
    with pytest.raises(MemoryError, match="killed"):
        train(asked, data_folder, tmp_path / "out")
    monkeypatch.setattr(PlanTrainer, "training_step", step)
    work = tmp_path / "out.training"
    found = json.loads((work / "before.json").read_text("utf-8"))
    found["scores"]["a"] = 12.5
    (work / "before.json").write_text(json.dumps(found), encoding="utf-8")
    assert train(asked, data_folder, tmp_path / "out", resume=True).before["a"] == 12.5
    steps = [row.split(",")[0] for row in (work / "log.csv").read_text("utf-8").splitlines()]
    assert {"1", "6"} <= set(steps)


def test_the_card_tells_the_steps_that_were_trained_and_what_was_left_out(
    model_folder, data_folder, tmp_path, caplog
):
    write_jsonl(data_folder / "train/one.jsonl", scored_rows(1, 5))
    write_jsonl(data_folder / "test.jsonl", scored_rows(2, 6))
    few = '[[source]]\nname = "few"\nfiles = ["train/one.jsonl"]\nloss = "cosent"\nscale = [0, 5]\n'
    free = few.replace("few", "free").replace("one", "a") + "check_leaks = false\n"
    asked = recipe(model_folder("bert"), more=few + free)
    asked = dataclasses.replace(asked, stop_after=3, tests=("test.jsonl",))
    with caplog.at_level("WARNING", logger="text2vec"):
        train(asked, data_folder, tmp_path / "out")
    assert "skipped, too few rows: few" in caplog.messages
    card = (tmp_path / "out/README.md").read_text("utf-8")
    assert "3 of 6 planned steps of 1 batches. Skipped, since they have too few rows: few." in card
    assert "were dropped: test.jsonl. Not checked (`check_leaks = false`): free." in card


def test_the_card_names_the_step_whose_weights_were_the_best(
    model_folder, data_folder, tmp_path, monkeypatch
):
    from text2vec.training import scoring

    means = iter([10.0, 30.0, 20.0, 20.0, 30.0])  # before, three checkpoints, after
    monkeypatch.setattr(
        scoring, "open_scorer", lambda *_: lambda: dict.fromkeys(("a", "mean"), next(means))
    )
    train(recipe(model_folder("bert"), more=EVALUATION), data_folder, tmp_path / "out")
    card = (tmp_path / "out/README.md").read_text("utf-8")
    assert "6 steps of 1 batches. The weights are those of step 2, the best on" in card


def test_an_output_that_holds_other_files_is_refused_before_anything_is_read(
    model_folder, tmp_path
):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/diary.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"out holds other files \(diary.txt\)"):
        train(recipe(model_folder("bert")), tmp_path / "no data", tmp_path / "out")


def test_matryoshka_lengths_beyond_the_models_are_refused(model_folder, data_folder):
    asked = recipe(model_folder("bert"), more="matryoshka = [64, 16]\n")
    with pytest.raises(ValueError, match=r"'a': matryoshka is \[64, 16\]; expected 32 at most"):
        prepare(asked, data_folder)


def test_negatives_are_mined_with_the_recipes_pooling(model_folder, data_folder, monkeypatch):
    from text2vec.training import preparation

    poolings = []
    monkeypatch.setattr(
        preparation, "mine_negatives", lambda *args: poolings.append(args[2].describe()["pooling"])
    )
    source = (
        '[[source]]\nname = "r"\nfiles = ["train/a.jsonl"]\nloss = "info-nce"\n'
        'columns = ["sentence1", "sentence2"]\nnegatives = 1\n'
    )
    prepare(recipe(model_folder("bert"), "cls", source), data_folder)
    assert poolings == [["cls"]]


def test_all_losses_and_adapters_train_in_one_run(model_folder, data_folder, tmp_path):
    labels = ["yes", "no", "maybe"]
    rows = [
        {"sentence1": row["sentence1"], "sentence2": row["sentence2"], "label": labels[i % 3]}
        for i, row in enumerate(scored_rows(24, 3))
    ]
    write_jsonl(data_folder / "train/c.jsonl", rows)
    triplets = [
        {"a": row["sentence1"], "p": row["sentence2"], "n": f"not {i}"}
        for i, row in enumerate(scored_rows(24, 4))
    ]
    write_jsonl(data_folder / "train/t.jsonl", triplets)
    sources = "".join(
        f'[[source]]\nname = "{name}"\nfiles = ["train/{file}.jsonl"]\nloss = "{name}"\n{rest}\n'
        for name, file, rest in (
            ("angle", "a", "scale = [0, 5]\nmatryoshka = [32, 16]"),
            ("cosine-mse", "a", "labels = {0 = 0}\nscale = []"),
            ("softmax", "c", "labels = {yes = 0, no = 1, maybe = 2}"),
            ("info-nce", "t", 'columns = ["a", "p"]\nnegatives = 1\nsub_batch = 3'),
            ("triplet", "t", 'columns = ["a", "p", "n"]'),
            ("margin-mse", "t", 'columns = ["a", "p", "n"]'),
            ("distill-mse", "t", 'columns = ["a"]\njoin = [2, 3]\nevery = 2'),
            ("distill-cosine", "t", 'columns = ["a"]\nevery = 3\nloss_weight = 20'),
            ("distill-correlation", "t", 'columns = ["a", "p"]\nevery = 2'),
            ("distill-translation", "t", 'columns = ["a", "p"]\nevery = 3'),
        )
        if name != "cosine-mse"
    )
    asked = parse_recipe(
        RECIPE.format(model=model_folder("bert"), pooling="mean").replace("steps = 6", "epochs = 1")
        + sources
    )
    result = train(asked, data_folder, tmp_path / "out")
    assert result.steps >= 3 * 5
    heads = load_file(tmp_path / "out.training/heads.safetensors")
    assert heads["softmax.weight"].shape == (3, 3 * 32)
    torch.manual_seed(asked.seed)
    text = (tmp_path / "out.training/log.csv").read_text("utf-8")
    assert text.startswith("step,seconds,name,value")
    assert ",loss," in text


def test_adapters_are_merged_and_weights_are_averaged(model_folder, data_folder, tmp_path):
    start = model_folder("bert")
    text = RECIPE.format(model=start, pooling="mean").replace('freeze = ["word_embeddings"]', "")
    train(parse_recipe("lora_rank = 2\n" + text), data_folder, tmp_path / "lora")
    before, after = weights(start), weights(tmp_path / "lora")
    assert before.keys() == after.keys()
    assert not same(before, after)
    train(recipe(start), data_folder, tmp_path / "whole")
    train(
        parse_recipe("merge = 0.25\n" + RECIPE.format(model=start, pooling="mean")),
        data_folder,
        tmp_path / "merged",
    )
    whole, merged = weights(tmp_path / "whole"), weights(tmp_path / "merged")
    for name in whole:
        expected = 0.25 * whole[name] + 0.75 * before[name]
        np.testing.assert_allclose(merged[name], expected, atol=1e-6)


def test_a_first_stage_ends_early_and_the_next_one_has_another_teacher(
    model_folder, data_folder, tmp_path
):
    first = recipe(model_folder("bert"))
    early = train(dataclasses.replace(first, stop_after=3), data_folder, tmp_path / "one")
    assert early.steps == 3
    train(first, data_folder, tmp_path / "whole")
    assert not same(weights(tmp_path / "one"), weights(tmp_path / "whole"))
    source = (
        '[[source]]\nname = "r"\nfiles = ["train/a.jsonl"]\nloss = "distill-correlation"\n'
        'columns = ["sentence1", "sentence2"]\nevery = 2\n'
    )
    asked = recipe(tmp_path / "one", more=source)
    asked = dataclasses.replace(asked, teacher=str(model_folder("roberta")))
    assert train(asked, data_folder, tmp_path / "two").steps == 6


def test_the_teacher_of_a_source_reads_the_first_of_translations(model_folder, data_folder):
    source = (
        '[[source]]\nname = "r"\nfiles = ["train/a.jsonl"]\nloss = "distill-translation"\n'
        f'columns = ["sentence2", "sentence1"]\nteacher = "{model_folder("roberta")}"\nrows = 5\n'
    )
    preparation = prepare(recipe(model_folder("bert"), more=source), data_folder)
    (group,) = [group for group in preparation.corpus.groups if group.name == "r"]
    places, embeddings = teacher_targets(preparation)["r"]
    assert places.shape == (5, 2)
    first = [preparation.corpus.table.texts[i] for i in group.rows[:, 0].tolist()]
    expected = SentenceModel(str(model_folder("roberta"))).encode(first)
    for column in places.T:
        np.testing.assert_allclose(embeddings[column], expected, atol=1e-6)


def test_the_text_that_the_teacher_alone_reads_is_not_embedded(model_folder, data_folder):
    source = (
        '[[source]]\nname = "r"\nfiles = ["train/a.jsonl"]\nloss = "distill-translation"\n'
        'columns = ["sentence2", "sentence1"]\ntrain_first = false\nrows = 5\n'
    )
    asked = recipe(model_folder("bert"), more=source)
    preparation = prepare(asked, data_folder)
    number = [group.name for group in preparation.corpus.groups].index("r")
    group = preparation.corpus.groups[number]
    targets = teacher_targets(preparation)
    data = TrainingData(preparation.corpus.groups, preparation.tokens, targets, 0, 32)
    batch = data.make_batch(Batch(number, np.arange(5)))
    lengths = preparation.tokens[32].lengths[np.unique(group.rows[:, 1])]
    assert sum(int(there_are(one).sum()) for one in batch.passes) == lengths.sum()
    assert (tuple(batch.places.shape), tuple(batch.labels.shape)) == ((5, 1), (5, 1, 32))
    places, embeddings = targets["r"]
    np.testing.assert_array_equal(batch.labels[:, 0], embeddings[places[:, 0]])
    with pytest.raises(ValueError, match="train_first = false is for translations"):
        dataclasses.replace(group.source, loss="distill-correlation")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill a process so")
def test_a_process_killed_between_checkpoints_and_resumed_ends_with_the_same_bits(
    model_folder, data_folder, tmp_path
):
    path = tmp_path / "recipe.toml"
    text = RECIPE.format(model=model_folder("bert"), pooling="mean").replace(
        "steps = 6", "steps = 60"
    )
    path.write_text(text, encoding="utf-8")
    words = ["train", "--recipe", str(path), "--data", str(data_folder), "--quiet", "--output"]
    command = [sys.executable, "-m", "text2vec.cli.main", *words]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run([*command, str(whole)], check=True)
    with subprocess.Popen([*command, str(cut)]) as process:
        seen = cut.with_name("cut.training") / "checkpoint-4" / "trainer_state.json"
        while not seen.is_file() and process.poll() is None:
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL, "it had ended before it was killed"
    assert not cut.exists()
    subprocess.run([*command, str(cut), "--resume"], check=True)
    assert same(weights(whole), weights(cut))


@pytest.mark.slow
def test_two_processes_train_the_same_batches_to_the_same_weights_as_one(
    model_folder, data_folder, tmp_path
):
    text = RECIPE.format(model=model_folder("bert"), pooling="mean").replace(
        "dropout = 0.1", "batches_per_step = 2"
    )
    path = tmp_path / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    for n_processes in (1, 2):
        subprocess.run(
            [
                sys.executable, "-m", "torch.distributed.run", "--standalone",
                f"--nproc-per-node={n_processes}", "-m", "text2vec.cli.main", "train",
                "--recipe", str(path), "--data", str(data_folder),
                "--output", str(tmp_path / f"out{n_processes}"),
            ],
            check=True,
            capture_output=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        )  # fmt: skip
    one, two = (weights(tmp_path / f"out{n}") for n in (1, 2))
    for name in one:
        np.testing.assert_allclose(one[name], two[name], atol=2e-6)
    logs = [
        [
            row.split(",")[-1]
            for row in (tmp_path / f"out{n}.training/log.csv").read_text("utf-8").splitlines()
            if ",loss," in row
        ]
        for n in (1, 2)
    ]
    np.testing.assert_allclose(*(np.array(log, float) for log in logs), rtol=1e-5)


def test_a_logger_without_its_package_is_refused_at_once(
    model_folder, data_folder, tmp_path, monkeypatch
):
    monkeypatch.setattr("text2vec.training.preparation.find_spec", lambda name: None)
    asked = dataclasses.replace(recipe(model_folder("bert")), loggers=("tensorboard",))
    with pytest.raises(MissingExtraError, match="it needs: pip install tensorboard"):
        train(asked, data_folder, tmp_path / "out")
