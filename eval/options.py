"""The command line of `python -m eval`: the run itself, and its other commands."""

import argparse
from collections.abc import Sequence
from pathlib import Path

QUESTIONS = Path(__file__).with_name("questions.jsonl")
ATTACKS = Path(__file__).with_name("attacks.jsonl")
RESULTS = Path("results")
RUN = "run"
DRAFTS = 20
"""Passages to draft questions about where nothing else is said."""
COMMANDS = {
    "report": "write results as one HTML page",
    "compare": "compare results question by question, with a paired test",
    "retrieve": "measure the retrieval alone, without the chat model",
    "draft": "draft questions about documents, for a person to correct",
    "fit": "fit the confidence to results made with RAG_ABSTAIN_BELOW=0, and print how good it is",
    "attack": "ask about documents that hold orders, and count how often they are obeyed",
    "feedback": "write the ratings given in the page as a question set",
}


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The options; `command` is one of COMMANDS, or RUN where the first argument is none of them."""
    command = argv[0] if argv and argv[0] in COMMANDS else RUN
    if command == RUN:
        others = "; ".join(f"{name}: {what}" for name, what in COMMANDS.items())
        parser = argparse.ArgumentParser(
            prog="python -m eval",
            description="Measure the chatbot on a question set.",
            epilog=f"Other commands, each with --help of its own: {others}.",
        )
    else:
        parser = argparse.ArgumentParser(prog=f"python -m eval {command}", description=_sentence(COMMANDS[command]))
    _ADD[command](parser)
    options = parser.parse_args(argv if command == RUN else argv[1:])
    options.command = command
    return options


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help="a set: corpus.jsonl or documents, and questions.jsonl"
    )
    parser.add_argument(
        "--questions", type=Path, metavar="FILE", help="one JSON object a line; otherwise those of --data, or our own"
    )
    _some(parser)
    parser.add_argument("--baseline", action="store_true", help="measure LangChain's tutorial chain as well")
    parser.add_argument("--judge", action="store_true", help="ask the chat model whether the answers are right")
    parser.add_argument("--again", action="store_true", help="start anew where a run like this was interrupted")
    parser.add_argument("--thresholds", type=Path, metavar="FILE", help="a TOML file; exit with 1 when a figure falls")
    _out(parser)


def _some(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=_count, metavar="N", help="ask only the first N questions")
    parser.add_argument("--kind", nargs="+", metavar="KIND", help="ask only questions of these kinds")
    parser.add_argument(
        "--sample", type=_count, metavar="N", help="ask N of these, drawn by chance, as many answerable ones as there"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="another seed draws others (default: 0)")


def _out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER", help="where results and indexes go")


def _report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", nargs="*", type=Path, metavar="RESULT.json", help="default: the newest in results/")
    parser.add_argument("--out", type=Path, default=Path("report.html"), metavar="FILE", help="the page")


def _compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "results",
        nargs="+",
        type=Path,
        metavar="RESULT.json",
        help="each is compared with the first; of one file, its chains",
    )


def _retrieve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", nargs="+", type=Path, metavar="FOLDER", help="sets; default: our article")
    parser.add_argument("--k", nargs="+", type=_count, default=[1, 3, 5, 10], metavar="K", help="default: 1 3 5 10")
    parser.add_argument("--untitled", action="store_true", help="also without the titles before the passages")
    parser.add_argument("--documents", action="store_true", help="rank different documents instead of passages")
    _some(parser)
    _out(parser)


def _draft(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="PATH", help="documents, and folders of them")
    parser.add_argument(
        "--count", type=_count, default=DRAFTS, metavar="N", help=f"passages to ask about (default: {DRAFTS})"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("questions.draft.jsonl"), metavar="FILE", help="never overwritten"
    )


def _attack(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--attacks", type=Path, default=ATTACKS, metavar="FILE", help="one JSON object a line")
    _some(parser)
    parser.add_argument("--control", action="store_true", help="ask without the orders in the documents as well")
    parser.add_argument("--alone", action="store_true", help="ask only the attacked document, as a short article")
    parser.add_argument("--baseline", action="store_true", help="attack LangChain's tutorial chain as well")
    parser.add_argument("--again", action="store_true", help="start anew where a run like this was interrupted")
    parser.add_argument(
        "--most", type=_share, metavar="SHARE", help="exit with 1 when more of the attacks succeed, such as 0.02"
    )
    _out(parser)


def _fit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULT.json", help="one or more for each set")
    parser.add_argument(
        "--out", type=Path, default=Path("rag/answer/confidence.json"), metavar="FILE", help="the weights, overwritten"
    )
    parser.add_argument(
        "--plots", type=Path, metavar="FOLDER", help="write reliability.svg and risk-coverage.svg there"
    )


def _feedback(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", type=Path, metavar="FOLDER", help="the page's folder (default: RAG_STORE)")
    parser.add_argument(
        "--out", type=Path, default=Path("feedback"), metavar="FOLDER", help="the set; nothing is overwritten"
    )


_ADD = {
    RUN: _run,
    "report": _report,
    "compare": _compare,
    "retrieve": _retrieve,
    "draft": _draft,
    "fit": _fit,
    "attack": _attack,
    "feedback": _feedback,
}


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number, at least 1")
    return int(text)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share, from 0 to 1")
    return value
