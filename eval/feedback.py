"""`python -m eval feedback`: ratings given in the page -> a question set with its documents."""

import argparse
import json
import sys
from collections.abc import Container
from contextlib import closing
from pathlib import Path
from typing import Any

from eval.dataset import CORPUS, QUESTIONS
from eval.results import ReportError, make_folder, write, writing
from rag.documents.text import replace_surrogates
from rag.index.index import PASSAGES_FILE, damage_reported
from rag.index.passages import Passages
from rag.index.snapshot import newest_sound
from rag.server.records import Rating
from rag.server.store import FILE, Store
from rag.settings import read_server_settings
from rag.types import Document

UNSAID = "it quotes what is nearest; whether that answers is not said"
OPEN = "questions.draft.jsonl"
"""What a person must complete; its name keeps it from being taken for a document."""


def main(options: argparse.Namespace) -> int:
    """Write the set and say what is in it. Raises RagError as `write_set` does."""
    settings, out = read_server_settings(), options.out
    scored, left = write_set(
        options.store or settings.database.get_secret_value() or settings.store, settings.index, out
    )
    print(f"Ratings: {scored + left}, of which {scored} can be scored")
    if scored:
        print(f"Questions: {out / QUESTIONS}")
    if left:
        print(f"To complete: {out / OPEN} ({left})")
        print(
            f'Give each question in {str(out / OPEN)!r} its "answers", [] if the documents do not answer it, '
            f"and move its line to {str(out / QUESTIONS)!r}.",
            file=sys.stderr,
        )
    print(f"Documents: {out / CORPUS}\nMeasure with: python -m eval --data {out}")
    return 0


def write_set(store: Path | str, index: Path, out: Path) -> tuple[int, int]:
    """Write the ratings of the page, and the documents of `index`, into the folder `out`.

    `store` is the page's folder, or the address of its database.

    Returns how many ratings can be scored, and how many a person must complete first.
    Raises RagError; ReportError if there are no ratings, and if `out` has such files
    already, for they may hold corrections.
    """
    for path in (out / QUESTIONS, out / OPEN, out / CORPUS):
        if path.exists():
            raise ReportError(f"{str(path)!r} is there already; name another --out folder.")
    ratings = _ratings(store)
    sound = newest_sound(index)
    if sound.notice:
        print(sound.notice, file=sys.stderr)
    make_folder(out)
    with damage_reported(index), closing(Passages.read(sound.path / PASSAGES_FILE)) as documents:
        known = set(documents)
        with writing(out / CORPUS), (out / CORPUS).open("w", encoding="utf-8") as file:
            file.writelines(_json_line(_corpus_item(one)) for one in documents.values())
    items = [item_of(number, rating, known) for number, rating in ratings]
    scored = [item for item in items if "answers" in item]
    left = [item for item in items if "answers" not in item]
    for name, some in ((OPEN, left), (QUESTIONS, scored)):
        if some:
            write(out / name, "".join(map(_json_line, some)))
    return len(scored), len(left)


def _ratings(store: Path | str) -> list[tuple[int, Rating]]:
    place = store / FILE if isinstance(store, Path) else store
    ratings = []
    if isinstance(place, str) or place.is_file():
        with Store(place) as opened:
            ratings = list(opened.ratings())
    if not ratings:
        where = repr(str(place)) if isinstance(place, Path) else "the database of RAG_DATABASE"
        raise ReportError(
            f"There are no ratings in {where}; rate answers in the page, or name its folder with --store."
        )
    return ratings


def _corpus_item(one: Document) -> dict[str, Any]:
    """The line of a document, without a title that is only its file's name."""
    return {"id": one.doc_id, "text": one.text} | ({"title": one.title} if one.titled else {})


def _json_line(item: dict[str, Any]) -> str:
    return replace_surrogates(json.dumps(item, ensure_ascii=False)) + "\n"


def item_of(number: int, rating: Rating, known: Container[str]) -> dict[str, Any]:
    """The question of a rating in the plain format, without `answers` if they are not known.

    A good answer is the reference, and what it cites the evidence; if the index, which
    knows the documents `known`, has lost one of these, somebody must see whether it is still right.
    """
    turn, answer = rating.turn, rating.turn.answer
    cited = answer.citations or answer.near if answer else ()
    history = [list(pair) for pair in rating.history]
    item = {"id": f"feedback-{number}", "kind": kind_of(rating), "question": turn.question, "history": history}
    match item["kind"]:
        case "feedback-good" if all(one.doc_id in known for one in cited):
            evidence = list(dict.fromkeys(one.quote for one in cited))
            doc_ids = list(dict.fromkeys(one.doc_id for one in cited))
            return {**item, "answers": [turn.text], "evidence": evidence, "doc_ids": doc_ids}
        case "feedback-abstained" | "feedback-unanswerable":
            return {**item, "answers": []}
        case "feedback-corrected":
            return {**item, "answers": [rating.right.strip()]}
    lost = "the index has no longer every document that it cites"
    reason = rating.reason or (UNSAID if answer and answer.near else lost)
    quoted = [{"title": one.title, "quote": one.quote} for one in cited]
    return {**item, "said": turn.text, "cited": quoted, "reason": reason, "comment": rating.comment}


def kind_of(rating: Rating) -> str:
    """What the rating says of the question; "feedback-open" if it does not say what is right."""
    answer = rating.turn.answer
    if rating.good and answer and answer.near:
        return "feedback-open"
    if rating.good and answer and answer.abstained:
        return "feedback-abstained"
    if rating.good:
        return "feedback-good" if answer and answer.text.strip() else "feedback-open"
    if rating.reason == "should not have answered":
        return "feedback-unanswerable"
    return "feedback-corrected" if rating.right.strip() else "feedback-open"
