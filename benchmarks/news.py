"""Pairs from news articles that no training saw: which text goes with which of the most alike.

    python recipes/news_articles.py --output DATA/train/news-zh.jsonl.gz
    python benchmarks/news.py --articles DATA/train/news-zh.valid.jsonl.gz --output news
    text2vec evaluate --tasks news/tasks.toml --data news --task news-dd --task news-dc

``news-dd`` has the two halves of an article, ``news-dc`` its headline and its text, as 1; the same
with the two other articles that share the most pairs of characters with it as 0.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from manuals import write_rows

TASKS = {"news-dd": ("first", "second"), "news-dc": ("title", "body")}
OTHERS = 2  # pairs of score 0 for each of score 1


def character_pairs(text: str) -> set[str]:
    """Return the different pairs of neighbouring characters."""
    return {text[i : i + 2] for i in range(len(text) - 1)}


def pair_rows(articles: list[dict[str, str]], left: str, right: str) -> Iterator[dict[str, object]]:
    """Yield the rows of a task."""
    asks, answers = ([character_pairs(row[key]) for row in articles] for key in (left, right))
    for i, row in enumerate(articles):
        yield {"sentence1": row[left], "sentence2": row[right], "score": 1}
        shared = [
            (len(asks[i] & answers[j]) / (1 + len(answers[j]) ** 0.5), j)
            for j in range(len(articles))
            if j != i
        ]
        for _, j in sorted(shared, reverse=True)[:OTHERS]:
            yield {"sentence1": row[left], "sentence2": articles[j][right], "score": 0}


def main() -> None:
    """Write the pairs and the tasks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--articles", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    with gzip.open(arguments.articles, "rt", encoding="utf-8") as lines:
        articles = [json.loads(line) for line in lines]
    tasks = []
    for name, (left, right) in TASKS.items():
        rows = list(pair_rows(articles, left, right))
        write_rows(arguments.output / f"{name}.jsonl.gz", rows)
        tasks.append(
            f'[[task]]\nname = "{name}"\nkind = "pairs"\nlanguage = "zh"\n'
            f'files = ["{name}.jsonl.gz"]\nscale = [0, 1]\n'
        )
        print(f"{name}: {len(rows)} pairs")
    (arguments.output / "tasks.toml").write_text("\n".join(tasks), encoding="utf-8")


if __name__ == "__main__":
    main()
