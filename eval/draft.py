"""`python -m eval draft`: documents -> questions that the chat model proposes, for a person to correct."""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from tqdm import tqdm

from eval.dataset import corpus_of, names
from eval.metrics import contains
from eval.results import ReportError, make_folder, write
from rag import Settings, read_settings
from rag.documents.loader import Loader
from rag.documents.sources import find_sources
from rag.documents.splitter import cut, sentence_spans
from rag.errors import DocumentError
from rag.index.manifest import Corpus
from rag.index.tokenizer import tokenize
from rag.models.chat_model import explained, open_model
from rag.models.progress import terminal_progress
from rag.types import Passage

UNANSWERABLE_EVERY = 4
"""Of so many passages one gets a question that it does not answer."""

_SYSTEM = "You write questions that test how well somebody has read a text."
ANSWERABLE = """\
Text, from {title!r}:
{text}

Write one question that this text answers, and the answer in a few words, exactly as they stand in the text. \
Name the people and things that you ask about, so that the question can be understood without the text. Use two lines:
Question: ...
Answer: ..."""
UNANSWERABLE = """\
Text, from {title!r}:
{text}

Write one question about a detail of something in this text that the text does not give, such as a date, a place, \
a reason or a number. It must look as if the text answered it. Use one line:
Question: ..."""
_QUESTION = re.compile(r"^\W*question\W*:[\s*]*(.+\?)", re.IGNORECASE | re.MULTILINE)
_ANSWER = re.compile(r"^\W*answer\W*:[\s*]*(.+)$", re.IGNORECASE | re.MULTILINE)


def main(options: argparse.Namespace) -> int:
    """Write the drafts and say so. Raises RagError as `write_drafts` does."""
    made, asked = write_drafts(options.paths, options.count, options.out)
    print(f"Drafts: {options.out} ({made} of {asked})")
    print(
        "A model wrote them: a person must correct every question, its answer and its evidence before they measure "
        "anything, and make sure that nothing answers the unanswerable ones.",
        file=sys.stderr,
    )
    return 0


def write_drafts(paths: Sequence[str], count: int, out: Path) -> tuple[int, int]:
    """Draft a question about each of `count` passages; returns how many, and of how many.

    Raises RagError; ReportError if the file is there already, for it may hold corrections,
    and if the model gave no question.
    """
    if out.exists():
        raise ReportError(f"{str(out)!r} is there already; name another --out file.")
    settings = read_settings()
    make_folder(out.parent)
    passages, doc_ids = passages_of(paths, settings)
    chosen = spread(passages, count)
    lines: list[str] = []
    with terminal_progress() as progress, open_model(settings, progress) as model:
        try:
            for item in drafts(chosen, model, settings, doc_ids):
                lines.append(json.dumps(item, ensure_ascii=False) + "\n")
        finally:  # Minutes of the model's work: what there is stays when it fails, or is interrupted.
            if lines:
                write(out, "".join(lines))
    if not lines:
        raise ReportError("The model gave no question that fits its passage; name more passages, or another model.")
    return len(lines), len(chosen)


def passages_of(paths: Sequence[str], settings: Settings) -> tuple[list[Passage], dict[str, str]]:
    """The passages of these paths, and what their folders call the documents.

    That is by their `doc_id`, and as `eval.dataset.mapped` takes it; a document that was
    named itself has no such name. What cannot be read is named on stderr. Raises
    DocumentError if nothing can be read.
    """
    passages: list[Passage] = []
    called: dict[str, str] = {}
    with Loader(settings.online) as loader:
        for name in paths:
            path = Path(name)
            corpus = corpus_of(path) if path.is_dir() else Corpus((name,))
            sources = find_sources(corpus.paths, (), corpus.exclude)
            every = [found for source in sources for found in loader.load(source, settings.passage_words)]
            for one in every:
                if isinstance(one, DocumentError):
                    print(f"Skipped: {one}", file=sys.stderr)
            loaded = [one for one in every if not isinstance(one, DocumentError)]
            passages += [passage for one in loaded for passage in cut(one.document, one.spans)]
            if path.is_dir():
                # Of files with the same text the index, and so `mapped`, knows the first.
                documents = sorted((one.document for one in loaded), key=lambda one: one.source, reverse=True)
                first = {one.doc_id: one for one in documents}
                called |= {doc_id: its for its, doc_id in names(path, first).items()}
    if not passages:
        raise DocumentError(f"No document could be read in {', '.join(map(repr, paths))}; name others.")
    return passages, called


def spread(passages: Sequence[Passage], count: int) -> list[Passage]:
    """`count` of the passages, evenly from the first to the last; all if there are no more."""
    count = min(count, len(passages))
    return [passages[(2 * number + 1) * len(passages) // (2 * count)] for number in range(count)]


def drafts(
    passages: Sequence[Passage], model: BaseChatModel, settings: Settings, called: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """A question in the plain format for each passage, if the model gives one that fits. Raises ModelError.

    `called` are the names of documents by their id: an answerable question has that of
    its document in `doc_ids`, an unanswerable one in `near_doc_ids`.
    """
    for number, passage in enumerate(tqdm(passages, "drafting", unit="question"), 1):
        answerable = number % UNANSWERABLE_EVERY != 0
        template = ANSWERABLE if answerable else UNANSWERABLE
        chain = ChatPromptTemplate.from_messages([("system", _SYSTEM), ("user", template)]) | model | StrOutputParser()
        with explained(settings):
            written = chain.invoke({"title": passage.title, "text": passage.text})
        if item := parsed(written, passage, answerable):
            there = [called[passage.doc_id]] if passage.doc_id in called else []
            yield {"id": f"draft-{number}", **item, "doc_ids" if answerable else "near_doc_ids": there}


def parsed(written: str, passage: Passage, answerable: bool) -> dict[str, Any] | None:
    """The question in what the model wrote, with the sentence that holds its answer; None if none does."""
    question, answer = _QUESTION.search(written), _ANSWER.search(written)
    if not question:
        return None
    common = {"question": question[1].strip(), "source": passage.source}
    if not answerable:
        return {**common, "kind": "draft-unanswerable", "answers": [], "evidence": []}
    said = answer[1].strip() if answer else ""
    sentences = [passage.text[span.start : span.end] for span in sentence_spans(passage.text)]
    holding = [sentence for sentence in sentences if contains(sentence, [said])]
    if not holding:
        return None
    words = set(tokenize(question[1]))
    evidence = max(holding, key=lambda sentence: len(words.intersection(tokenize(sentence))))
    return {**common, "kind": "draft", "answers": [said], "evidence": [evidence]}
