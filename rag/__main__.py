"""`python -m rag "question"`: ask once in a terminal."""

import argparse
import dataclasses
import json
import sys

from rag.chatbot import Chatbot, checked
from rag.errors import RagError, with_detail
from rag.models.progress import terminal_progress
from rag.settings import read_settings
from rag.types import INCOMPLETE, Answer


def main(argv: list[str] | None = None) -> int:
    """Ask the question of the arguments; the exit code is 1 after an error."""
    parser = argparse.ArgumentParser(prog="python -m rag", description="Ask the documents one question.")
    parser.add_argument("question")
    parser.add_argument("--json", action="store_true", help="print the whole Answer as JSON")
    arguments = parser.parse_args(argv)
    try:
        checked(arguments.question)
        with terminal_progress() as progress, Chatbot.open(read_settings(), progress=progress) as bot:
            answer = bot.ask(arguments.question)
    except RagError as error:
        print(with_detail(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(json.dumps(dataclasses.asdict(answer), ensure_ascii=False, indent=2) if arguments.json else _text(answer))
    return 0


def _text(answer: Answer) -> str:
    """The answer with [n] marks and quotations, or the nearest passages if there is none."""
    if answer.abstained:
        nearest = [f"  {hit.passage.source}: {_shortened(hit.passage.text)}" for hit in answer.hits]
        return "\n".join([answer.text, *(["", "The nearest passages:", *nearest] if nearest else [])])
    said = " ".join(
        sentence.text + "".join(f" [{citation.number}]" for citation in sentence.citations)
        + ("" if sentence.supported else f" (not found in the documents. {sentence.why})")
        for sentence in answer.sentences
    )  # fmt: skip
    quotes = [
        f"[{citation.number}] {citation.source}{f', page {citation.page}' if citation.page else ''}: {citation.quote}"
        for citation in answer.citations
    ]
    cut = ["", INCOMPLETE[answer.incomplete]] if answer.incomplete else []
    return "\n".join([said, *cut, "", *quotes])


def _shortened(text: str, most: int = 160) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[:most].rsplit(" ", 1)[0] + " …"


if __name__ == "__main__":
    sys.exit(main())
