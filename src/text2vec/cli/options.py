"""The options that several commands share, and the model that they ask for.

Nothing heavy is imported here: ``--help`` must come at once.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from text2vec.sentence_model import SentenceModel

__all__ = [
    "add_command",
    "file_name",
    "general_options",
    "model_options",
    "open_model",
    "positive_int",
    "seed_number",
    "text_options",
]


def seed_number(word: str) -> int:
    """Return the seed that a word states.

    Parameters
    ----------
    word
        What the user typed.

    Returns
    -------
    int
        At least 0.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is no whole number, or less than 0.

    Examples
    --------
    >>> seed_number("0")
    0
    """
    if not word.isdecimal():
        raise argparse.ArgumentTypeError(f"{word!r} is no seed; expected a whole number from 0")
    return int(word)


def positive_int(word: str) -> int:
    """Return the whole number that a word states.

    Parameters
    ----------
    word
        What the user typed.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is no whole number, or less than 1.

    Examples
    --------
    >>> positive_int("12")
    12
    """
    if not word.isascii() or not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number of 1 or more")
    return int(word)


def file_name(word: str) -> str:
    """Return the name of a file as it was typed; ``-`` stands for the standard stream.

    Parameters
    ----------
    word
        What the user typed.

    Returns
    -------
    str
        Never empty.

    Raises
    ------
    argparse.ArgumentTypeError
        If the word is empty.

    Examples
    --------
    >>> file_name("./-")
    './-'
    """
    if not word:
        raise argparse.ArgumentTypeError("the name of a file is empty")
    return word


def general_options(*, at_root: bool) -> argparse.ArgumentParser:
    """Return the options that may stand before or after the command.

    Parameters
    ----------
    at_root
        Whether these are the root's, which hold the defaults; a command's own must not undo
        what was said before it.

    Returns
    -------
    argparse.ArgumentParser
        To be given as a parent.
    """
    options = argparse.ArgumentParser(add_help=False)
    group = options.add_argument_group("general options")
    default: Any = False if at_root else argparse.SUPPRESS
    group.add_argument("--json", action="store_true", default=default, help="results as JSON")
    group.add_argument(
        "--quiet",
        action="store_true",
        default=default,
        help="no progress and no notes on stderr; errors remain",
    )
    return options


def model_options(*, many: bool = False) -> argparse.ArgumentParser:
    """Return the options that say which model, and how it runs.

    Parameters
    ----------
    many
        Whether ``--model`` may be given several times; ``args.model`` is then a list.

    Returns
    -------
    argparse.ArgumentParser
        To be given as a parent.
    """
    options = argparse.ArgumentParser(add_help=False)
    group = options.add_argument_group("model options")
    group.add_argument(
        "--model",
        metavar="NAME",
        action="append" if many else "store",
        default=[] if many else None,
        help="folder or hub name of a model (default: the default model)"
        + ("; may be repeated" if many else ""),
    )
    group.add_argument(
        "--revision", metavar="NAME", help="branch, tag or commit of a hub model (default: main)"
    )
    group.add_argument(
        "--max-seq-length",
        type=positive_int,
        metavar="N",
        help="cut texts at N tokens (default: what the model says)",
    )
    group.add_argument(
        "--num-threads",
        type=positive_int,
        metavar="N",
        help="threads to use (default: all that this process may use)",
    )
    group.add_argument(
        "--engine",
        default="auto",
        metavar="NAME",
        help="native, reference or torch (default: the fastest that is here)",
    )
    group.add_argument(
        "--device",
        metavar="NAME",
        help="cpu, cuda, mps, ...; all but cpu need PyTorch (default: the engine's own)",
    )
    group.add_argument(
        "--dtype",
        default="auto",
        metavar="NAME",
        help="float32, bfloat16 or int8 (default: as the model's files keep the weights)",
    )
    return options


def text_options() -> argparse.ArgumentParser:
    """Return the options that say how texts are encoded.

    Returns
    -------
    argparse.ArgumentParser
        To be given as a parent.
    """
    options = argparse.ArgumentParser(add_help=False)
    group = options.add_argument_group("encoding options")
    prompts = group.add_mutually_exclusive_group()
    prompts.add_argument("--prompt", metavar="TEXT", help="put TEXT before every text")
    prompts.add_argument(
        "--prompt-name", metavar="NAME", help="put the model's prompt of this name before it"
    )
    group.add_argument(
        "--batch-size",
        type=positive_int,
        metavar="N",
        help="texts computed together (default: the engine's choice); changes no embedding",
    )
    group.add_argument(
        "--truncate-dim",
        type=positive_int,
        metavar="N",
        help="keep the first N values of every embedding",
    )
    group.add_argument(
        "--chunk-size",
        type=positive_int,
        default=4096,
        metavar="N",
        help="rows held in memory at a time (default: 4096); 1 answers line by line",
    )
    return options


def add_command(
    commands: Any, name: str, summary: str, *, examples: str, parents: list[argparse.ArgumentParser]
) -> argparse.ArgumentParser:
    """Return the parser of a new command, with the general options and its examples.

    Parameters
    ----------
    commands
        What ``add_subparsers`` returned.
    name
        The command's name.
    summary
        One line for the root's help, and the first of the command's.
    examples
        Shown at the end of the command's help, line by line.
    parents
        Groups of options beside the general ones.

    Returns
    -------
    argparse.ArgumentParser
        To which the command adds its own arguments.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[*parents, general_options(at_root=False)],
        allow_abbrev=False,
    )
    parser.set_defaults(parser=parser)
    return parser


def open_model(args: argparse.Namespace, name: str | None = None, **settings: Any) -> SentenceModel:
    """Return the model that the options ask for.

    Parameters
    ----------
    args
        Parsed arguments of a command that has the model options.
    name
        One of several that ``args.model`` lists; None for ``args.model`` itself.
    **settings
        Keywords of ``SentenceModel`` that hold where the options say nothing.

    Returns
    -------
    SentenceModel
        Loaded, or what ``args.model_factory`` made of the same arguments.
    """
    if args.model_factory is None:
        from text2vec.sentence_model import SentenceModel

        args.model_factory = SentenceModel
    asked = {
        "revision": args.revision,
        "device": args.device,
        "max_seq_length": args.max_seq_length,
        "num_threads": args.num_threads,
        "engine": args.engine,
        "dtype": args.dtype,
    }
    asked |= {key: value for key, value in settings.items() if asked.get(key) is None}
    model: SentenceModel = args.model_factory(args.model if name is None else name, **asked)
    return model
