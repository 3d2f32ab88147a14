"""`python -m rag "question"`: ask once in a terminal."""

import argparse
import dataclasses
import json
import sys

from rag.chatbot import Chatbot, checked
from rag.errors import RagError, with_detail
from rag.models.progress import terminal_progress
from rag.replies import replies
from rag.settings import read_settings
from rag.types import INCOMPLETE, Answer, Citation, Evidence

_DIM, _PLAIN = "\033[2m", "\033[0m"


def main(argv: list[str] | None = None) -> int:
    """Ask the question of the arguments; the exit code is 1 after an error."""
    parser = argparse.ArgumentParser(prog="python -m rag", description="Ask the documents one question.")
    parser.add_argument("question")
    parser.add_argument("--json", action="store_true", help="print the whole Answer as JSON")
    arguments = parser.parse_args(argv)
    try:
        checked(arguments.question)
        with terminal_progress() as progress, Chatbot.open(read_settings(), progress=progress) as bot:
            answer = _asked(bot, arguments.question, shows=sys.stdout.isatty() and not arguments.json)
    except RagError as error:
        print(with_detail(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(json.dumps(dataclasses.asdict(answer), ensure_ascii=False, indent=2) if arguments.json else _text(answer))
    return 0


def _asked(bot: Chatbot, question: str, shows: bool) -> Answer:
    """The Answer; `shows` prints the evidence as soon as it is known."""
    for event in bot.stream(question):
        if isinstance(event, Evidence) and event.citations and shows:
            print(f"{_DIM}In the documents:", *map(_quote, event.citations), _PLAIN, sep="\n", flush=True)
    assert isinstance(event, Answer)
    return event


def _quote(citation: Citation) -> str:
    return f"  {citation.source}: {_shortened(citation.quote)}"


def _text(answer: Answer) -> str:
    """The answer with [n] marks and quotations, or else what is nearest."""
    if answer.near:
        return "\n".join([replies(answer.language).nearest, "", *map(_source, answer.near)])
    if answer.abstained:
        nearest = [f"  {hit.passage.source}: {_shortened(hit.passage.text)}" for hit in answer.hits]
        return "\n".join([answer.text, *(["", "The nearest passages:", *nearest] if nearest else [])])
    said = " ".join(
        sentence.text + "".join(f" [{citation.number}]" for citation in sentence.citations)
        + ("" if sentence.supported else f" (not found in the documents. {sentence.why})")
        for sentence in answer.sentences
    )  # fmt: skip
    quotes = map(_source, answer.citations)
    cut = ["", INCOMPLETE[answer.incomplete]] if answer.incomplete else []
    return "\n".join([said, *cut, "", *quotes])


def _source(citation: Citation) -> str:
    """[n], the place, the words."""
    page = f", page {citation.page}" if citation.page else ""
    return f"[{citation.number}] {citation.source}{page}: {citation.quote}"


def _shortened(text: str, most: int = 160) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[:most].rsplit(" ", 1)[0] + " …"


if __name__ == "__main__":
    sys.exit(main())
