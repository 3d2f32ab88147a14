"""`python -m eval`: ask the chatbot every question of a set and print how well it answered."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from eval.baseline import Baseline
from eval.dataset import DatasetError, Question, load
from eval.judge import judge
from eval.report import ReportError, save, summarise, table, wrong
from eval.run import Record, run
from rag import Chatbot, RagError, Settings, read_settings
from rag.progress import terminal_progress

QUESTIONS = Path(__file__).with_name("questions.jsonl")


def main(argv: Sequence[str] | None = None) -> int:
    """The entry point; returns the exit code."""
    options = _options(argv)
    try:
        _evaluate(options, read_settings())
    except RagError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; nothing was written.", file=sys.stderr)
        return 130
    return 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m eval", description="Measure the chatbot on a question set.")
    parser.add_argument("--questions", type=Path, default=QUESTIONS, metavar="FILE", help="one JSON object a line")
    parser.add_argument("--limit", type=_count, metavar="N", help="ask only the first N questions")
    parser.add_argument("--kind", nargs="+", metavar="KIND", help="ask only questions of these kinds")
    parser.add_argument("--baseline", action="store_true", help="measure LangChain's tutorial chain as well")
    parser.add_argument("--judge", action="store_true", help="ask the chat model whether the answers are right")
    parser.add_argument("--out", type=Path, default=Path("results"), metavar="FOLDER", help="where the results go")
    return parser.parse_args(argv)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of questions, at least 1")
    return int(text)


def select(questions: list[Question], kinds: list[str] | None, limit: int | None) -> list[Question]:
    """The first `limit` questions of the given kinds. Raises DatasetError for a kind that the set lacks."""
    there = dict.fromkeys(question.kind for question in questions)
    for kind in kinds or []:
        if kind not in there:
            raise DatasetError(f"The set has no question of the kind {kind!r}; its kinds are: {', '.join(there)}.")
    return [question for question in questions if not kinds or question.kind in kinds][:limit]


def _evaluate(options: argparse.Namespace, settings: Settings) -> None:
    questions = select(load(options.questions), options.kind, options.limit)
    _make_folder(options.out)
    chains: dict[str, list[Record]] = {}
    with _open(settings) as bot:
        documents = bot.documents
        chains["chat"] = run(bot, questions, documents)
        if options.baseline:
            with closing(Baseline(settings, bot.model, bot.embedder, documents)) as baseline:
                chains["baseline"] = run(baseline, questions, documents, "baseline")
        if options.judge:
            chains = {name: judge(settings, bot.model, records, name) for name, records in chains.items()}
    summaries = {name: summarise(records, settings.passages) for name, records in chains.items()}
    print(table(summaries))
    for name, records in chains.items():
        if listed := wrong(records):
            print(f"\nWrong answers of {name}:\n{listed}")
    path = save(
        options.out,
        settings=settings,
        questions=options.questions.name,
        documents=documents,
        chains=chains,
        summaries=summaries,
    )
    print(f"\nResults: {path}")


def _open(settings: Settings) -> Chatbot:
    with terminal_progress() as progress:
        return Chatbot.open(settings, progress=progress)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReportError(f"{str(folder)!r} cannot be made ({error.strerror}); name another --out folder.") from error


if __name__ == "__main__":
    sys.exit(main())
