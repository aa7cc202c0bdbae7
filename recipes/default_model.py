"""The default model from the first file to the last, in one command; run again, it goes on.

    pip install 'text2vec[model,train]' polib
    python recipes/default_model.py --data DIR --work FOLDER

DIR is the data folder. FOLDER gets a copy of it with articles, help pages and translations beside
its files, the models between the stages, and in the end ``default-model-5-small``, what the package
carries. Debian's packages come from ``apt-get download`` (of Debian 12: other releases have other
texts), or from ``--packages`` where they are at hand. Seven hours on two cores that multiply
bfloat16.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import help_pages
import translations

RECIPES = Path(__file__).resolve().parent
BASE = "multilingual-e5-small"
STAGES = (  # recipe, and the average that is made of its result: chosen on validation files
    ("default-model-1", {}),
    ("default-model-2", {BASE: 0.15, "default-model-2": 0.85}),
    ("default-model-3", {BASE: 0.2, "default-model-2": 0.4, "default-model-3": 0.4}),
    ("default-model-4", {BASE: 0.2, "default-model-3-merged": 0.35, "default-model-4": 0.45}),
    ("default-model-5", {}),
)
PACKED = ("default-model-3", "default-model-4", "default-model-5")
"""Two teachers, who answer four times as fast so, and the result."""
NARROW = ("default-model-4", 1152)
"""What the last stage starts from: an average, of whose neurons so many stay in each layer."""
LANGUAGES = ("de", "en", "es", "fr", "it", "nl", "pl", "pt", "ru", "zh")
NARROW_TEXTS = (
    *("eval/bq.valid", "eval/lcqmc.valid"),
    *("train/zh-pairs", "train/stsb-zh", "train/pawsx-zh", "train/news-zh"),
    *(f"train/stsb-multi-{language}" for language in LANGUAGES),
    *(f"train/pawsx-{language}" for language in ("de", "en", "es", "fr")),
    *(f"train/translations-{language}-en" for language in LANGUAGES if language != "en"),
    *(f"train/help-{language}" for language in LANGUAGES),
)
"""Files to whose texts the layers answer as before, or nearly."""
NARROW_ROWS, NARROW_LENGTH = 100, 128


def run(words: Sequence[str | Path], folder: Path) -> None:
    """Run a command in a folder and stop if it fails."""
    print("$", *words, flush=True)
    subprocess.run([str(word) for word in words], cwd=folder, check=True)


def copy_data(data: Path, copy: Path) -> None:
    """Copy ``eval`` and ``train``: training refuses links that lead out of its data folder."""
    for part in ("eval", "train"):
        shutil.copytree(data / part, copy / part, dirs_exist_ok=True)


def add_texts(copy: Path, packages: Path | None, work: Path) -> None:
    """Add news articles and help pages to the copy, if they are not there yet."""
    news = copy / "train" / "news-zh.jsonl.gz"
    if not news.exists():
        run([sys.executable, RECIPES / "news_articles.py", "--output", news], work)
    help_packages = [f"libreoffice-help-{part}" for part in help_pages.PACKAGES.values()]
    for script, names, last in (
        ("help_pages.py", help_packages, "help-mixed"),
        ("translations.py", translations.PACKAGES, "translations-zh-en"),
    ):
        if (copy / "train" / f"{last}.jsonl.gz").exists():
            continue
        folder = packages or work / "packages"
        if packages is None:
            folder.mkdir(exist_ok=True)
            run(["apt-get", "download", *names], folder)
        words = [sys.executable, RECIPES / script, "--packages", folder]
        run([*words, "--output", copy / "train"], work)


def main() -> None:
    """Run every step that has not been done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--packages", type=Path, help="folder of Debian's packages")
    arguments = parser.parse_args()
    work, copy = arguments.work.resolve(), arguments.work.resolve() / "data"
    text2vec = [sys.executable, "-m", "text2vec.cli.main"]
    work.mkdir(parents=True, exist_ok=True)
    copy_data(arguments.data, copy)
    packages = arguments.packages.resolve() if arguments.packages else None
    add_texts(copy, packages, work)
    run([*text2vec, "build-model"], work)
    for name, parts in STAGES:
        merged = work / f"{name}-merged"
        if not (work / name).exists():
            words = ["train", "--recipe", RECIPES / f"{name}.toml", "--data", copy, "--resume"]
            run([*text2vec, *words, "--output", work / name], work)
        if parts and not merged.exists():
            words = ["merge-models", "--output", merged]
            for part, weight in parts.items():
                words += ["--model", part if part == BASE else work / part, "--weight", str(weight)]
            run([*text2vec, *words], work)
        result, small = merged if parts else work / name, work / f"{name}-small"
        if name in PACKED and not small.exists():
            run([*text2vec, "pack-model", "--model", result, "--output", small], work)
        if name == NARROW[0] and not (work / f"{name}-narrow").exists():
            words = ["prune-model", "--model", result, "--neurons", str(NARROW[1])]
            words += ["--rows", str(NARROW_ROWS), "--max-seq-length", str(NARROW_LENGTH)]
            for file in NARROW_TEXTS:
                words += ["--texts", copy / f"{file}.jsonl.gz"]
            run([*text2vec, *words, "--output", work / f"{name}-narrow"], work)
    print(small)


if __name__ == "__main__":
    main()
