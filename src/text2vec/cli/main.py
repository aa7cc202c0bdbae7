"""The root of the command line: global options, and which exception gives which exit code.

Each command lives in ``texts``, ``models``, ``evaluation`` or ``training``. What only a running
command needs, even logging, is imported inside functions: ``--help`` must come at once.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from text2vec.cli import evaluation, models, texts, training
from text2vec.cli.options import general_options
from text2vec.errors import Text2VecError

if TYPE_CHECKING:
    from text2vec.sentence_model import SentenceModel

__all__ = ["EXIT_CODES", "build_parser", "main"]

EXIT_CODES: dict[type[BaseException], int] = {
    KeyboardInterrupt: 130,  # 128 + SIGINT, as a shell reports it
    BrokenPipeError: 141,  # 128 + SIGPIPE: whoever read the output has seen enough
    Text2VecError: 1,
    ValueError: 1,
    OSError: 1,
}
"""First row that fits wins. Wrong usage gives 2; an exception of another kind is a traceback, and
so is a plain ValueError that does not come from this package itself."""

_TERMINATED = 143
_SILENT = (KeyboardInterrupt, BrokenPipeError)
_TYPED_TEXTS = ("texts", "sentences", "query", "prompt", "prompt_name", "column", "columns")

_EXAMPLES = """examples:
  text2vec encode "如何更换花呗绑定银行卡" "How to replace the Huabei bundled bank card"
  text2vec encode --input texts.txt --output vectors.npy
  text2vec similarity "a man plays guitar" "someone plays an instrument"
  text2vec search "how do I change my card?" --input questions.csv --column question
  text2vec info

exit codes: 0 done, 1 error, 2 wrong usage, 130 interrupted"""


class _ShowVersion(argparse.Action):
    """Prints the version, which is looked up only when somebody asks."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from text2vec import __version__

        sys.stdout.write(f"text2vec {__version__}\n")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line.

    Returns
    -------
    argparse.ArgumentParser
        Parsed arguments have ``run``, the function of the command, and ``parser``, its parser.

    Examples
    --------
    >>> build_parser().parse_args(["search", "a", "--input", "b.txt", "--json"]).json
    True
    """
    parser = argparse.ArgumentParser(
        prog="text2vec",
        description="Sentence embeddings: texts in, vectors out.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[general_options(at_root=True)],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    texts.add_commands(commands)
    models.add_commands(commands)
    evaluation.add_commands(commands)
    training.add_commands(commands)
    return parser


def main(
    argv: Sequence[str] | None = None,
    *,
    model_factory: Callable[..., SentenceModel] | None = None,
) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    argv
        Words after the program's name; None takes those of this process.
    model_factory
        Called as ``SentenceModel`` would be, instead of it; for programs with their own models.

    Returns
    -------
    int
        0, or the row of ``EXIT_CODES``. Wrong usage and ``--help`` end in ``SystemExit``, as
        argparse has it.
    """
    _open_closed_streams()
    _speak_utf8()
    try:
        args = build_parser().parse_args(argv)
        args.model_factory = model_factory
        _check_typed_texts(args)
        with _ended_by_sigterm(), _notes_on_stderr(quiet=args.quiet):
            args.run(args)
        sys.stdout.flush()
    except tuple(EXIT_CODES) as exc:
        if _is_bug(exc):
            raise
        return _report(exc)
    return 0


def _open_closed_streams() -> None:
    # A shell's `>&-` leaves Python with None: what would be said there goes nowhere.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def _is_bug(exc: BaseException) -> bool:
    """Tell a ValueError that this package raised about its input from one that it ran into."""
    if type(exc) is not ValueError:
        return False
    trace = exc.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    name = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__", ""))
    return name.partition(".")[0] != "text2vec"


def _report(exc: BaseException) -> int:
    if isinstance(exc, BrokenPipeError):
        _drop_output()
    if not isinstance(exc, _SILENT):
        sys.stderr.write(f"text2vec: error: {_one_line(exc)}\n")
    return next(code for kind, code in EXIT_CODES.items() if isinstance(exc, kind))


def _one_line(exc: BaseException) -> str:
    message = str(exc)
    # Python's own form starts with "[Errno 28]", which helps nobody.
    if isinstance(exc, OSError) and exc.strerror and not isinstance(exc, Text2VecError):
        place = f"{os.fsdecode(exc.filename)}: " if isinstance(exc.filename, str | bytes) else ""
        message = f"{place}{exc.strerror}"
    return " ".join(message.splitlines()) or type(exc).__name__


def _speak_utf8() -> None:
    # A Windows pipe would be cp1252 and a C locale ASCII: texts of ten languages fit neither.
    for stream, errors in ((sys.stdout, "strict"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors=errors)


def _drop_output() -> None:
    # Python flushes stdout once more on its way out, which would be reported as an error.
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)


def _check_typed_texts(args: argparse.Namespace) -> None:
    for name in _TYPED_TEXTS:
        typed = getattr(args, name, None) or []
        for text in [typed] if isinstance(typed, str) else typed:
            if not _is_unicode(text):
                args.parser.error(f"{name}: {text!a} is not valid UTF-8")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let a polite kill unwind the stack, so that no temporary file stays behind."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: Any) -> None:
        raise SystemExit(_TERMINATED)

    previous = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


@contextmanager
def _notes_on_stderr(*, quiet: bool) -> Iterator[None]:
    """Show what the rooms below log as notes, in the form of this program's other lines."""
    import logging

    logger = logging.getLogger("text2vec")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("text2vec: note: %(message)s"))
    handler.setLevel(logging.ERROR if quiet else logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


if __name__ == "__main__":
    sys.exit(main())
