"""The run itself: questions and chains -> a table, a results file, and what falls below its threshold."""

import argparse
import sys
from contextlib import closing
from pathlib import Path

from eval.baseline import Baseline
from eval.dataset import Question, load, sample, select
from eval.draft import write_drafts
from eval.folder import build, check_evidence, has_questions, mapped, question_file
from eval.judge import judge
from eval.kept import Kept, run_key
from eval.options import DRAFTS, QUESTIONS
from eval.record import Record
from eval.results import ReportError, make_folder, save
from eval.run import run
from eval.summary import summarise
from eval.table import table, wrong
from eval.thresholds import Threshold, broken, read_thresholds
from rag import Chatbot, Settings, read_settings
from rag.models.progress import terminal_progress


def main(options: argparse.Namespace) -> int:
    """Run `python -m eval`; the exit code is 1 where a figure is beyond its threshold. Raises RagError.

    A folder without questions is not measured: it gets drafts of some, unless there are thresholds to keep.
    """
    drafted = options.data and not (options.questions or options.thresholds or has_questions(options.data))
    if drafted:
        return _draft(options.data, options.out)
    settings = read_settings()
    names = ["chat", *(["baseline"] if options.baseline else [])]
    thresholds = read_thresholds(options.thresholds, names) if options.thresholds else []
    path = options.questions or (question_file(options.data) if options.data else QUESTIONS)
    questions = load(path)
    chosen = sample(select(questions, options.kind, options.limit), options.sample, options.seed)
    name = options.data.resolve().name if options.data else path.name
    make_folder(options.out)
    if options.data:
        settings = build(options.data, settings, options.out)
    kept: list[Kept] = []
    try:
        with _open(settings) as bot:
            if options.data:
                wanted = {question.id for question in chosen}
                chosen = [one for one in mapped(questions, options.data, bot.documents) if one.id in wanted]
            check_evidence(chosen, bot.documents)
            chains = _answers(bot, settings, chosen, options, kept)
            return _conclude(bot, settings, name, chains, thresholds, options.out, kept)
    except KeyboardInterrupt:
        count, whole = sum(len(one.records) for one in kept), len(names) * len(chosen)
        print(f"\nInterrupted; {count} of {whole} answers are kept, the same command goes on there.", file=sys.stderr)
        return 130


def _draft(folder: Path, out: Path) -> int:
    """Let the model draft questions about the folder. Raises RagError; ReportError where there are drafts already."""
    path = out / f"{folder.resolve().name}.draft.jsonl"
    then = f"python -m eval --data {folder} --questions {path}"
    if path.exists():
        raise ReportError(
            f"{str(folder)!r} has no questions, but {str(path)!r} holds drafts of some; "
            f"correct them, and measure with: {then}"
        )
    make_folder(out)
    count, _ = write_drafts([str(folder)], DRAFTS, path)
    print(
        f"{str(folder)!r} has no questions, so the model drafted {count}, which are in {str(path)!r}; "
        f"a person should correct them before they measure anything with: {then}"
    )
    return 0


def _open(settings: Settings) -> Chatbot:
    with terminal_progress() as progress:
        return Chatbot.open(settings, progress=progress)


def _answers(
    bot: Chatbot, settings: Settings, questions: list[Question], options: argparse.Namespace, kept: list[Kept]
) -> dict[str, list[Record]]:
    """The records by chain; `kept` gets those of each chain from its start on."""

    def keep(chain: str) -> Kept:
        key = run_key(settings, chain, questions, documents)
        kept.append(Kept.open(options.out / "partial", key, options.again))
        if before := len(kept[-1].records):
            print(f"{before} of {len(questions)} answers of {chain} were kept; --again starts anew.", file=sys.stderr)
        return kept[-1]

    documents = bot.documents
    chains = {"chat": run(bot, questions, documents, "chat", keep("chat"))}
    if options.baseline:
        with closing(Baseline(settings, bot.model, bot.embedder, documents)) as baseline:
            chains["baseline"] = run(baseline, questions, documents, "baseline", keep("baseline"))
    if options.judge:
        return {name: judge(settings, bot.model, records, name) for name, records in chains.items()}
    return chains


def _conclude(
    bot: Chatbot, settings: Settings, questions: str, chains: dict[str, list[Record]], thresholds: list[Threshold],
    out: Path, kept: list[Kept],
) -> int:  # fmt: skip
    """Print, save, and hold the figures against the thresholds."""
    summaries = {name: summarise(records, settings.passages) for name, records in chains.items()}
    print(table(summaries))
    for name, records in chains.items():
        if listed := wrong(records):
            print(f"\nWrong answers of {name}:\n{listed}")
    path = save(
        out, settings=settings, questions=questions, documents=bot.documents, chains=chains, summaries=summaries
    )
    print(f"\nResults: {path}")
    for one in kept:
        one.remove()
    if failed := sum(one.error is not None for records in chains.values() for one in records):
        print(f"Questions that failed: {failed}; the same command asks these again.", file=sys.stderr)
    fallen = broken(thresholds, summaries)
    for sentence in fallen:
        print(sentence, file=sys.stderr)
    return 1 if fallen else 0
