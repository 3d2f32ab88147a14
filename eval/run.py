"""`python -m eval`: questions and chains -> a table, a results file, and what falls below its threshold."""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from tqdm import tqdm

from eval.dataset import QUESTIONS as OF_FOLDER
from eval.dataset import Question, build, check_evidence, choose, load, mapped, question_file
from eval.draft import write_drafts
from eval.options import DRAFTS, QUESTIONS
from eval.record import Chain, Record, ask
from eval.results import Kept, ReportError, make_folder, run_key, save
from eval.summary import summarise
from eval.table import table, wrong
from eval.thresholds import Threshold, broken, read_thresholds
from rag import Chatbot, Settings, read_settings
from rag.errors import ModelError
from rag.models.chat_model import explained
from rag.models.progress import terminal_progress
from rag.types import Document

JUDGE = """\
Question: {question}
Reference answer: {reference}
Answer to judge: {text}
Does the answer to judge say what the reference answer says? Reply with one word, yes or no."""


def main(options: argparse.Namespace) -> int:
    """Run `python -m eval`; the exit code is 1 if a figure is beyond its threshold. Raises RagError.

    A folder without questions is not measured: it gets drafts of some, unless there are thresholds to keep.
    """
    asked_for = options.questions or options.thresholds
    if options.data and not asked_for and not (options.data / OF_FOLDER).is_file():
        return _draft(options.data, options.out)
    settings = read_settings()
    names = ["chat", *(["baseline"] if options.baseline else [])]
    thresholds = read_thresholds(options.thresholds, names) if options.thresholds else []
    path = options.questions or (question_file(options.data) if options.data else QUESTIONS)
    questions = load(path)
    chosen = choose(questions, options)
    name = options.data.resolve().name if options.data else path.name
    make_folder(options.out)
    if options.data:
        settings = build(options.data, settings, options.out)
    kept: list[Kept] = []
    try:
        with open_bot(settings) as bot:
            if options.data:
                wanted = {question.id for question in chosen}
                chosen = [one for one in mapped(questions, options.data, bot.documents) if one.id in wanted]
            check_evidence(chosen, bot.documents)
            chains = ask_chains(bot, settings, chosen, options, kept)
            if options.judge:
                chains = {chain: judge(settings, bot.model, records, chain) for chain, records in chains.items()}
            return _conclude(bot, settings, name, chains, thresholds, options.out, kept)
    except KeyboardInterrupt:
        count, whole = sum(len(one.records) for one in kept), len(names) * len(chosen)
        print(f"\nInterrupted; {count} of {whole} answers are kept, the same command goes on there.", file=sys.stderr)
        return 130


def _draft(folder: Path, out: Path) -> int:
    """Let the model draft questions about the folder. Raises RagError; ReportError if there are drafts already."""
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


def open_bot(settings: Settings) -> Chatbot:
    """The chatbot, its progress on stderr. Raises RagError as `Chatbot.open` does."""
    with terminal_progress() as progress:
        return Chatbot.open(settings, progress=progress)


def ask_chains(
    bot: Chatbot, settings: Settings, questions: list[Question], options: argparse.Namespace, kept: list[Kept],
    chat: Chain | None = None, name: str = "chat", about: str = "",
) -> dict[str, list[Record]]:  # fmt: skip
    """The records by chain: those of `chat`, else of `bot`, which are kept as `name`, and of the baseline.

    `kept` gets the file of each chain before its first question is asked; `about` stands in
    the progress bar.
    """

    def records(chain: Chain, kept_as: str) -> list[Record]:
        key = run_key(settings, kept_as, questions, bot.documents)
        kept.append(Kept.open(options.out / "partial", key, options.again))
        if before := len(kept[-1].records):
            print(f"{before} of {len(questions)} answers of {kept_as} were kept; --again starts anew.", file=sys.stderr)
        return run(chain, questions, bot.documents, kept_as + about, kept[-1])

    chains = {"chat": records(chat or bot, name)}
    if options.baseline:
        from eval.baseline import Baseline  # It needs the extra "eval".

        with closing(Baseline(settings, bot.model, bot.embedder, bot.documents)) as baseline:
            chains["baseline"] = records(baseline, "baseline")
    return chains


def run(
    chain: Chain, questions: Sequence[Question], documents: Mapping[str, Document], name: str = "chat",
    kept: Kept | None = None,
) -> list[Record]:  # fmt: skip
    """A Record for every question, in order, with a progress bar called `name` on stderr.

    Questions that `kept` has are not asked again, and it gets the others as they are answered.
    """
    known = dict(kept.records) if kept else {}
    done = sum(question.id in known for question in questions)
    with tqdm(total=len(questions), initial=done, desc=name, unit="question") as bar:
        for question in questions:
            if question.id not in known:
                known[question.id] = ask(chain, question, documents)
                if kept:
                    kept.add(known[question.id])
                bar.update()
    return [known[question.id] for question in questions]


def judge(settings: Settings, model: BaseChatModel, records: list[Record], name: str = "chat") -> list[Record]:
    """The records with `judged` set by the chat model, a second opinion; None if the model failed.

    Only an answer to an answerable question is put to the model. The rest is a matter of
    abstaining, and the verdict on it is `correct`.
    """
    chain = ChatPromptTemplate.from_messages([("human", JUDGE)]) | model | StrOutputParser()

    def verdict(record: Record) -> bool | None:
        if not record.question.answerable or record.abstained or record.error is not None:
            return record.correct
        asked = {"question": record.question.question, "reference": " / ".join(record.question.answers)}
        try:
            with explained(settings):
                reply = chain.invoke({**asked, "text": record.text})
        except ModelError:
            return None
        return re.match(r"\W*yes\b", reply, re.IGNORECASE) is not None

    return [replace(one, judged=verdict(one)) for one in tqdm(records, f"judging {name}", unit="answer")]


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
