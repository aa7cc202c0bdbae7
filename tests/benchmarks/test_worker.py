import io
import json
import sys

import pytest
from processes import WorkerError, WorkerProcess, time_command
from worker import Worker, serve

MESSAGE = {"do": "open", "name": "fake"}


def fake_worker():
    ticks = iter(range(100))
    seen = []

    def encode(texts, batch_size):
        seen.append((list(texts), batch_size))
        return [[float(len(text)), 1.0] for text in texts]

    return Worker(lambda _: (encode, {"versions": {}}), lambda: float(next(ticks))), seen


def answers_to(*messages):
    worker, seen = fake_worker()
    out = io.StringIO()
    serve(worker, [json.dumps(message) for message in messages], out)
    return [json.loads(line) for line in out.getvalue().splitlines()], seen


def test_texts_are_kept_encoded_and_timed():
    answers, seen = answers_to(
        MESSAGE,
        {"do": "keep", "key": "a", "texts": ["x", "yy"]},
        {"do": "encode", "key": "a", "batch_size": 32},
        {"do": "latency", "key": "a", "calls": 2},
        {"do": "vectors", "key": "a", "prompt": "p"},
        {"do": "quit"},
        {"do": "encode", "key": "a", "batch_size": 32},
    )
    assert len(answers) == 6
    assert answers[2]["seconds"] == 1.0
    assert answers[3]["milliseconds"] == [1000.0, 1000.0]
    assert answers[4]["vectors"] == [[2.0, 1.0], [3.0, 1.0]]
    assert seen[0] == (["x", "yy"], 32)
    assert seen[1] == (["x"], 0)


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ({"do": "encode", "key": "nope", "batch_size": 1}, "KeyError"),
        ({"do": "dance"}, "AttributeError"),
    ],
)
def test_a_fault_is_an_answer(message, fault, capsys):
    answers, _ = answers_to(message, {"do": "keep", "key": "a", "texts": []})
    assert fault in answers[0]["error"]
    assert "error" not in answers[1]
    assert fault in capsys.readouterr().err


def test_a_worker_process_answers_and_tells_its_faults():
    worker = WorkerProcess(sys.executable, {})
    try:
        assert "peak_memory_mb" in worker.ask("keep", key="a", texts=["茶"])
        with pytest.raises(WorkerError, match="nothing is open"):
            worker.ask("vectors", key="a")
        worker.ask("quit")
        with pytest.raises(WorkerError, match="ended with 0"):
            worker.ask("vectors", key="a")
    finally:
        worker.close()


@pytest.mark.skipif(sys.platform == "win32", reason="the launcher needs wait4")
def test_a_command_is_timed_from_outside():
    found = time_command([sys.executable, "-c", "import time; time.sleep(0.05)"], {})
    assert found["seconds"] >= 0.05
    assert 1 < found["peak_memory_mb"] < 100
    with pytest.raises(WorkerError, match="exit"):
        time_command([sys.executable, "-c", "raise SystemExit('exit')"], {})
