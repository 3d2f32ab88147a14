"""`python -m eval draft`: documents -> questions that the chat model proposes, for a person to correct."""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from tqdm import tqdm

from eval.folder import corpus_of
from eval.metrics import contains
from eval.results import ReportError, write
from rag import Settings, read_settings
from rag.errors import DocumentError
from rag.load import Loader, find_sources
from rag.model import explained, open_model
from rag.progress import terminal_progress
from rag.split import sentence_spans, split
from rag.types import Chunk
from rag.words import tokenize

UNANSWERABLE_EVERY = 4
"""Of so many passages one gets a question that it does not answer."""

_READ = ("system", "You write questions that test how well somebody has read a text.")
ANSWERABLE = ChatPromptTemplate.from_messages(
    [
        _READ,
        (
            "user",
            "Text, from {title!r}:\n{text}\n\nWrite one question that this text answers, and the answer in a few "
            "words, exactly as they stand in the text. Name the people and things that you ask about, so that the "
            "question can be understood without the text. Use two lines:\nQuestion: ...\nAnswer: ...",
        ),
    ]
)
UNANSWERABLE = ChatPromptTemplate.from_messages(
    [
        _READ,
        (
            "user",
            "Text, from {title!r}:\n{text}\n\nWrite one question about a detail of something in this text that the "
            "text does not give, such as a date, a place, a reason or a number. It must look as if the text "
            "answered it. Use one line:\nQuestion: ...",
        ),
    ]
)
_QUESTION = re.compile(r"^\W*question\W*:[\s*]*(.+\?)", re.IGNORECASE | re.MULTILINE)
_ANSWER = re.compile(r"^\W*answer\W*:[\s*]*(.+)$", re.IGNORECASE | re.MULTILINE)


def main(options: argparse.Namespace) -> int:
    """Write the drafts. Raises RagError; ReportError where the file is there already, for it may hold corrections."""
    if options.out.exists():
        raise ReportError(f"{str(options.out)!r} is there already; name another --out file.")
    settings = read_settings()
    chosen = spread(passages(options.paths, settings), options.count)
    with terminal_progress() as progress, open_model(settings, progress) as model:
        lines = [json.dumps(item, ensure_ascii=False) + "\n" for item in drafts(chosen, model, settings)]
    write(options.out, "".join(lines))
    print(f"Drafts: {options.out} ({len(lines)} of {len(chosen)})")
    print(
        "A model wrote them: a person must correct every question, its answer and its evidence before they measure "
        "anything, and make sure that nothing answers the unanswerable ones.",
        file=sys.stderr,
    )
    return 0


def passages(paths: Sequence[str], settings: Settings) -> list[Chunk]:
    """The passages that an index of these paths has, without the vectors. What cannot be read is named on stderr.

    Raises DocumentError where nothing can be read.
    """
    chunks: list[Chunk] = []
    with Loader(settings.online) as loader:
        for path in paths:
            corpus = corpus_of(Path(path)) if Path(path).is_dir() else None
            for source in find_sources(corpus.paths, (), corpus.exclude) if corpus else find_sources([path]):
                for found in loader.load(source):
                    if isinstance(found, DocumentError):
                        print(f"Skipped: {found}", file=sys.stderr)
                    else:
                        chunks += split(found, settings.chunk_words)
    if not chunks:
        raise DocumentError(f"No document could be read in {', '.join(map(repr, paths))}; name others.")
    return chunks


def spread(chunks: Sequence[Chunk], count: int) -> list[Chunk]:
    """`count` of the passages, evenly from the first to the last; all where there are no more."""
    count = min(count, len(chunks))
    return [chunks[(2 * number + 1) * len(chunks) // (2 * count)] for number in range(count)]


def drafts(chunks: Sequence[Chunk], model: BaseChatModel, settings: Settings) -> Iterator[dict[str, Any]]:
    """A question in the plain format for each passage, where the model gives one that fits. Raises ModelError."""
    for number, chunk in enumerate(tqdm(chunks, "drafting", unit="question"), 1):
        answerable = number % UNANSWERABLE_EVERY != 0
        chain = (ANSWERABLE if answerable else UNANSWERABLE) | model | StrOutputParser()
        with explained(settings):
            written = chain.invoke({"title": chunk.title, "text": chunk.text})
        if item := parsed(written, chunk, answerable):
            yield {"id": f"draft-{number}", **item}


def parsed(written: str, chunk: Chunk, answerable: bool) -> dict[str, Any] | None:
    """The question in what the model wrote, with the sentence that holds its answer; None where none does."""
    question, answer = _QUESTION.search(written), _ANSWER.search(written)
    if not question:
        return None
    common = {"question": question[1].strip(), "source": chunk.source}
    if not answerable:
        return {**common, "kind": "draft-unanswerable", "answers": [], "evidence": []}
    said = answer[1].strip() if answer else ""
    sentences = [chunk.text[span.start : span.end] for span in sentence_spans(chunk.text)]
    holding = [sentence for sentence in sentences if contains(sentence, [said])]
    if not holding:
        return None
    words = set(tokenize(question[1]))
    evidence = max(holding, key=lambda sentence: len(words.intersection(tokenize(sentence))))
    return {**common, "kind": "draft", "answers": [said], "evidence": [evidence]}
