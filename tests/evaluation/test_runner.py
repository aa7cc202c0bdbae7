"""Runs: against scipy, every text once, resumed where they stopped, the same twice."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from tests.evaluation.conftest import write_lines
from text2vec.errors import DataFormatError
from text2vec.evaluation.baselines import baseline_subject
from text2vec.evaluation.results import mean_score, read_result
from text2vec.evaluation.runner import evaluate
from text2vec.evaluation.subject import encoder_subject
from text2vec.evaluation.tasks import Task, find_tasks
from text2vec.similarities import similarity_pairwise

CHINESE = find_tasks([], ["chinese"])


def same(results):
    return [{**asdict(e.result), "run": None} for e in results]


def test_scores_are_scipys_and_every_text_is_encoded_once(subject, encoder, data):
    found = evaluate(subject, CHINESE, data)
    assert [e.result.task for e in found] == [task.name for task in CHINESE]
    assert len(encoder.asked) == len(set(encoder.asked))
    assert set(encoder.asked) == {text for e in found for text in e.data.texts}
    for e in found:
        scores = similarity_pairwise(encoder.encode(e.data.left), encoder.encode(e.data.right))
        assert e.result.score == pytest.approx(100 * spearmanr(scores, e.data.labels).statistic)
        expected = 100 * pearsonr(scores, e.data.labels).statistic
        assert e.result.scores["pearson"] == pytest.approx(expected, abs=1e-4)
        low, high = e.result.interval
        assert low < e.result.score < high
        assert ("average_precision" in e.result.scores) == (max(e.data.labels) == 1)
    assert mean_score([e.result for e in found]) == pytest.approx(
        np.mean([e.result.score for e in found])
    )


def test_a_killed_run_goes_on_where_it_stopped(subject, encoder, data, tmp_path):
    calls = []
    whole = evaluate(subject, CHINESE, data)

    def embed(texts):
        calls.append(len(texts))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return subject.embed(texts)

    stopped = type(subject)(subject.name, embed, facts=subject.facts)
    with pytest.raises(KeyboardInterrupt):
        evaluate(stopped, CHINESE, data, output_folder=tmp_path)
    files = sorted(path.name for path in tmp_path.rglob("*.json"))
    assert files == ["atec.json", "bq.json", "lcqmc.json"]
    encoder.asked.clear()
    again = evaluate(subject, CHINESE, data, output_folder=tmp_path)
    assert same(again) == same(whole)
    asked = set(encoder.asked)
    assert not asked & (set(again[0].data.texts) - {t for e in again[3:] for t in e.data.texts})
    encoder.asked.clear()
    assert same(evaluate(subject, CHINESE, data, output_folder=tmp_path)) == same(whole)
    assert not encoder.asked


def test_a_finished_run_keeps_its_pairs_for_the_report(subject, encoder, data, tmp_path):
    whole = evaluate(subject, CHINESE[:1], data, output_folder=tmp_path)
    encoder.asked.clear()
    again = evaluate(subject, CHINESE[:1], data, output_folder=tmp_path)
    assert again[0].result == whole[0].result
    assert again[0].pair_scores.tolist() == whole[0].pair_scores.tolist()
    for damage in (b"", b"no array", (tmp_path / "counting/atec.npy").read_bytes()[:-8]):
        (tmp_path / "counting/atec.npy").write_bytes(damage)
        again = evaluate(subject, CHINESE[:1], data, output_folder=tmp_path)
        assert (again[0].result, again[0].pair_scores) == (whole[0].result, None)
    assert not encoder.asked


@pytest.mark.parametrize("change", ["data", "model", "damage"])
def test_a_finished_task_of_another_question_is_run_again(change, encoder, tmp_path):
    row = {"text1": "a", "text2": "b", "score": 1}
    rows = [row, {**row, "text2": "c", "score": 0}, {**row, "text1": "d", "score": 0.5}]
    write_lines(tmp_path / "a.jsonl", rows)
    task = Task("x", "pairs", ("a.jsonl",), "en")
    subject = encoder_subject("m", encoder, {"fingerprint": "1"})
    evaluate(subject, [task], tmp_path, output_folder=tmp_path / "out")
    encoder.asked.clear()
    if change == "data":
        write_lines(tmp_path / "a.jsonl", rows[::-1])
    elif change == "model":
        subject = encoder_subject("m", encoder, {"fingerprint": "2"})
    else:
        (tmp_path / "out/m/x.json").write_text('{"task": ')
    evaluate(subject, [task], tmp_path, output_folder=tmp_path / "out")
    assert encoder.asked
    assert read_result(tmp_path / "out/m/x.json").task == "x"


def test_other_kinds_of_task(subject, tmp_path):
    write_lines(tmp_path / "t.jsonl", [{"de": w, "en": w} for w in ("Tee", "Katze", "Hund")])
    bitext = Task("t", "bitext", ("t.jsonl",), "de-en", columns=("de", "en"))
    write_lines(tmp_path / "c.jsonl", [{"text": t, "label": t[0]} for t in ("aa", "a", "bb", "b")])
    cluster = Task("c", "clustering", ("c.jsonl",), "en")
    write_lines(tmp_path / "d.jsonl", [{"_id": "1", "text": "cat"}, {"_id": "2", "text": "dog"}])
    write_lines(tmp_path / "q.jsonl", [{"_id": "q", "text": "dog"}])
    (tmp_path / "r.tsv").write_text("query-id\tcorpus-id\tscore\nq\t2\t1\n")
    retrieval = Task("r", "retrieval", ("d.jsonl", "q.jsonl", "r.tsv"), "en")
    found = evaluate(subject, [bitext, cluster, retrieval], tmp_path)
    assert [e.result.metric for e in found] == ["f1", "v_measure", "ndcg@10"]
    assert [e.result.score for e in found] == pytest.approx([100, 100, 100])
    assert [e.result.interval for e in found] == [(100, 100), None, (100, 100)]
    floor = evaluate(baseline_subject("tf-idf"), [bitext, cluster], tmp_path)
    assert floor == []


def test_vectors_that_are_no_numbers_are_refused(data):
    class Broken:
        dim = 2

        def encode(self, sentences):
            return np.full((len(sentences), 2), np.nan, np.float32)

    with pytest.raises(DataFormatError, match="holds NaN or infinity"):
        evaluate(encoder_subject("broken", Broken()), CHINESE[:1], data)


def test_a_model_that_says_the_same_of_everything_has_no_score(data, tmp_path):
    class Constant:
        dim = 2

        def encode(self, sentences):
            return np.ones((len(sentences), 2), np.float32)

    subject = encoder_subject("constant", Constant())
    found = evaluate(subject, CHINESE[:1], data, output_folder=tmp_path)
    assert (found[0].result.score, found[0].result.interval) == (None, None)
    assert json.loads((tmp_path / "constant/atec.json").read_text())["score"] is None
    assert mean_score([found[0].result]) is None
