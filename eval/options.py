"""The command line of `python -m eval`; every command is in the module of its name ("-" as "_")."""

import argparse
from collections.abc import Sequence
from pathlib import Path

QUESTIONS = Path(__file__).with_name("questions.jsonl")
WORDINGS = Path(__file__).with_name("kinds_judging.jsonl")
FITTING = Path(__file__).with_name("kinds.jsonl")
FURTHER = Path(__file__).with_name("kinds_further.jsonl")
ATTACKS = Path(__file__).with_name("attacks.jsonl")
RESULTS = Path("results")
RUN = "run"
DRAFTS = 20
"""Passages to draft questions about if nothing else is said."""
COMMANDS = {
    "report": "write results as one HTML page",
    "compare": "compare results question by question, with a paired test",
    "bench": "measure how fast it is: start, ingest, evidence, first token, end, memory",
    "retrieve": "measure the retrieval alone, without the chat model",
    "draft": "draft questions about documents, for a person to correct",
    "fit": "fit the confidence to results made with RAG_ABSTAIN_BELOW=0, and print how good it is",
    "attack": "ask about documents that hold orders, and count how often they are obeyed",
    "kinds": "tell the kinds of labelled wordings, and count how many are told rightly",
    "fit-kinds": "fit what tells the kinds to labelled wordings, and print how good it is",
    "train-reranker": "train the reranker's adapter on our own articles and on sets; wants a CUDA device",
    "train-answering": "train the chat model's adapter on our own articles and on sets; wants a CUDA device",
    "feedback": "write the ratings given in the page as a question set",
}


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The options; `command` is one of COMMANDS, or RUN if the first argument is none of them."""
    command = argv[0] if argv and argv[0] in COMMANDS else RUN
    if command == RUN:
        others = "; ".join(f"{name}: {what}" for name, what in COMMANDS.items())
        parser = argparse.ArgumentParser(
            prog="python -m eval",
            description="Measure the chatbot on a question set.",
            epilog=f"Other commands, each with --help of its own: {others}.",
        )
    else:
        about = COMMANDS[command]
        parser = argparse.ArgumentParser(
            prog=f"python -m eval {command}", description=f"{about[0].upper()}{about[1:]}."
        )
    _ADD[command](parser)
    options = parser.parse_args(argv if command == RUN else argv[1:])
    options.command = command
    return options


def _run(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", type=Path, metavar="FOLDER", help="a set: corpus.jsonl or documents, and questions.jsonl")
    add("--questions", type=Path, metavar="FILE", help="one JSON object a line; otherwise those of --data, or our own")
    _which(parser)
    _chains(parser)
    add("--judge", action="store_true", help="ask the chat model whether the answers are right")
    add("--thresholds", type=Path, metavar="FILE", help="a TOML file; exit with 1 when a figure falls")


def _which(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--limit", type=_count, metavar="N", help="ask only the first N questions")
    add("--kind", nargs="+", metavar="KIND", help="ask only questions of these kinds")
    sampled = "ask N of these, drawn by chance, as many answerable ones as there"
    add("--sample", type=_count, metavar="N", help=sampled)
    add("--seed", type=int, default=0, metavar="S", help="another seed draws others (default: 0)")
    add("--out", type=Path, default=RESULTS, metavar="FOLDER", help="where results and indexes go")


def _chains(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--baseline", action="store_true", help="ask LangChain's tutorial chain as well")
    add("--again", action="store_true", help="start anew where a run like this was interrupted")


def _report(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("results", nargs="*", type=Path, metavar="RESULT.json", help="default: the newest in results/")
    add("--out", type=Path, default=Path("report.html"), metavar="FILE", help="the page")


def _compare(parser: argparse.ArgumentParser) -> None:
    compared = "each is compared with the first; of one file, its chains"
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULT.json", help=compared)


def _retrieve(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", nargs="+", type=Path, metavar="FOLDER", help="sets; default: our article")
    add("--k", nargs="+", type=_count, default=[1, 3, 5, 10], metavar="K", help="default: 1 3 5 10")
    add("--untitled", action="store_true", help="also without the titles before the passages")
    add("--documents", action="store_true", help="rank different documents instead of passages")
    _which(parser)


def _bench(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", nargs="+", action="extend", default=[], type=Path, metavar="FOLDER", help="sets beside our article")
    add("--no-article", dest="article", action="store_false", help="only the sets of --data")
    _which(parser)
    add("--peer", action="store_true", help="ask LangChain's tutorial chain as well, by turns")
    add("--typed", action="store_true", help="also type each question in the page, in headless Chromium")
    add("--starts", type=_count, default=3, metavar="N", help="fresh processes to start (default: 3)")
    add("--ingests", type=_count, default=1, metavar="N", help="fresh processes to ingest in (default: 1)")
    add("--scale", action="store_true", help="instead, build and search made indexes of these texts' sentences")
    sizes = "passages of the made indexes (default: 1000 10000 100000)"
    add("--sizes", nargs="+", type=_count, default=[1000, 10_000, 100_000], metavar="N", help=sizes)


def _draft(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("paths", nargs="+", metavar="PATH", help="documents, and folders of them")
    add("--count", type=_count, default=DRAFTS, metavar="N", help=f"passages to ask about (default: {DRAFTS})")
    add("--out", type=Path, default=Path("questions.draft.jsonl"), metavar="FILE", help="never overwritten")


def _attack(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--attacks", type=Path, default=ATTACKS, metavar="FILE", help="one JSON object a line")
    _which(parser)
    add("--control", action="store_true", help="ask without the orders in the documents as well")
    add("--alone", action="store_true", help="ask only the attacked document, as a short article")
    _chains(parser)
    add("--most", type=_share, metavar="SHARE", help="exit with 1 when more of the attacks succeed, such as 0.02")


def _fit(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("results", nargs="+", type=Path, metavar="RESULT.json", help="one or more for each set")
    weights = Path("rag/answer/confidence.json")
    add("--out", type=Path, default=weights, metavar="FILE", help="the weights, overwritten")
    add("--plots", type=Path, metavar="FOLDER", help="write reliability.svg and risk-coverage.svg there")


def _kinds(parser: argparse.ArgumentParser) -> None:
    labelled = 'one JSON object a line, with "kind" and "question"; default: our own'
    parser.add_argument("wordings", nargs="?", type=Path, default=WORDINGS, metavar="FILE", help=labelled)


def _fit_kinds(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    labelled = 'one JSON object a line, with "kind" and "question"'
    add("wordings", nargs="?", type=Path, default=FITTING, metavar="FILE", help=f"{labelled}; default: our own")
    add("--further", type=Path, default=FURTHER, metavar="FILE", help="more of them, that are never held out")
    weights = Path("rag/answer/kinds.npz")
    add("--out", type=Path, default=weights, metavar="FILE", help="the weights, overwritten")


def _train_reranker(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    marked = "sets that mark evidence, beside the articles"
    add("--data", nargs="+", default=[], type=Path, metavar="FOLDER", help=marked)
    add("--out", type=Path, default=Path("reranker.npz"), metavar="FILE", help="the adapter, overwritten")
    add("--indexes", type=Path, default=RESULTS, metavar="FOLDER", help="where the indexes of the sets go")
    add("--epochs", type=_count, default=4, metavar="N", help="default: 4")
    add("--seed", type=int, default=0, metavar="S", help="another seed draws others (default: 0)")


def _train_answering(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    marked = "sets that mark evidence, beside the articles"
    add("--data", nargs="+", default=[], type=Path, metavar="FOLDER", help=marked)
    add("--out", type=Path, default=Path("answering.gguf"), metavar="FILE", help="the adapter, overwritten")
    add("--epochs", type=_count, default=2, metavar="N", help="default: 2")
    add("--seed", type=int, default=0, metavar="S", help="another seed draws others (default: 0)")


def _feedback(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--store", type=Path, metavar="FOLDER", help="the page's folder (default: RAG_STORE)")
    add("--out", type=Path, default=Path("feedback"), metavar="FOLDER", help="the set; nothing is overwritten")


_ADD = {
    RUN: _run, "report": _report, "compare": _compare, "retrieve": _retrieve, "draft": _draft, "fit": _fit,
    "bench": _bench, "attack": _attack, "kinds": _kinds, "fit-kinds": _fit_kinds,
    "train-reranker": _train_reranker, "train-answering": _train_answering, "feedback": _feedback,
}  # fmt: skip


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
