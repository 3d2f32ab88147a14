"""Every pattern and every loop that reads texts from outside takes a time that grows with their length alone."""

import ast
import gc
import importlib
import pkgutil
import re
import re._compiler as compiler  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fakes import source_sentences

import rag
from rag.answer.context import _MARK, tokens
from rag.answer.evidence import content_words
from rag.answer.kinds import KindClassifier
from rag.answer.length import length_asked
from rag.answer.links import without_links
from rag.answer.question import stand_alone
from rag.answer.sections import outline, part_of
from rag.answer.speakers import misattributed
from rag.answer.summary import extract
from rag.answer.support import _occurs, adds_nothing, contradicts, unfounded
from rag.documents.blobs import without_data
from rag.documents.layout import headings
from rag.documents.plausible import is_wide, oddness
from rag.documents.text import clean, without
from rag.quantities.reading import quantities
from rag.server.export import as_markdown
from rag.server.records import Turn
from rag.types import Passage

LONG = 200_000
FEW = 3
"""A repeat of at most so many is no loop."""


class Run(NamedTuple):
    """A text of any length: units that are repeated, each in its own part of it, and what stands around them."""

    units: tuple[str, ...]
    before: str = ""
    after: str = ""

    def text(self, length: int) -> str:
        share = length // len(self.units)
        return self.before + "".join(unit * (share // len(unit)) for unit in self.units) + self.after


SPACES = [" ", "\n", "\r\n", " \n", "\u200b", "\u200c", "\u2028", "\u0301", "\u0315\u0316"]
VALUES = [*"aA1é([<>]{}\"“”'.,-_@:/|!?#*\\`", "a.", "A.", "1.", "a-", "a@", "a:", "1,", ".-", '."', "A'A", "n't"]
MARKUP = [
    "[1]", "[1]:", "[a](", "](", "![", "<!--", "<a ", "[INST]", "<|", "<|x|>", "</text>", "a@b.", "a.com", "//",
    "www.",
]  # fmt: skip
WORDS = """a|A|a b|1.|? |.|it|he|she said|He said,|John|Aly|A of|according to A|' said|May|U.S.|Mr.|and|and then|and who is
|what is|what are the|or|no|how|how many|in|of|the summary|exactly|names of|in 5 x briefly|as a in|text does not|is not given
|one hundred|5 million|half past|1/2|a third|3 May|there is no|do not aly have a|a@b.c|http://a.b|[1]|- a|# h|thanks"""
NESTED = [
    ("<|", "|>"), ("[IN", "ST]"), ("<s", ">"), ("<te", "xt>"), ("<<", "SYS>>"), ("<", ">"), ("[", "]"), ("(", ")"),
]  # fmt: skip
NESTED += [
    ("[", "](x)"), ("<a", ">"), ("{", "}"), ("“", "”"), ("»‘", "“?"), ("a<", "www.x>@b.c"), ("a", "."), (" ", "a"),
]  # fmt: skip
RUNS = [Run((unit,)) for unit in [*SPACES, *VALUES, *MARKUP]] + [Run(pair) for pair in NESTED]
RUNS += [Run((f"{word} ",)) for word in WORDS.replace("\n", "").split("|")]
RUNS += [Run((first + filler * 2_000,)) for first in "A1.<[" for filler in " a."]


class EndlessError(Exception):
    """Reading took so long that it was stopped."""


@contextmanager
def ended(seconds: float) -> Iterator[None]:
    """Raise EndlessError after so many seconds of computing, even in the midst of a pattern."""

    def stop(*_: object) -> None:
        raise EndlessError

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@contextmanager
def uncollected() -> Iterator[None]:
    """Do without Python's collections, which go through all that the tests before have left."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def is_slow(read: Callable[[str], object], run: Run, seconds: float) -> bool:
    """Whether reading LONG characters takes more than `seconds` of computing.

    So many are read only where of fewer neither the time was so short that not even its
    square would be too much, nor that for twice as many about twice as long. A busy machine
    gets three tries.
    """

    def took(length: int) -> float:
        text, begun = run.text(length), time.thread_time()  # That of the process is coarse while a timer runs.
        with ended(5 * seconds), uncollected():
            read(text)
        return time.thread_time() - begun

    try:
        double = took(LONG // 10)
        if double < seconds / 100 or (double < seconds / 20 and double < 2.5 * took(LONG // 20)):
            return False
        return all(took(LONG) > seconds for _ in range(3))
    except EndlessError:
        return True


def patterns(value: object) -> Iterator[re.Pattern[str]]:
    """The compiled patterns in a value of a module."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, Mapping | type):
        held = value if isinstance(value, Mapping) else vars(value)
        yield from (one for one in held.values() if isinstance(one, re.Pattern))
    elif isinstance(value, list | tuple | set | frozenset):
        yield from (pattern for one in value for pattern in patterns(one))


def reading(pattern: re.Pattern[Any], how: str) -> Callable[[str], object]:
    """A method of the pattern for a text, also where it reads bytes."""
    read = getattr(pattern, how)
    return read if isinstance(pattern.pattern, str) else lambda text: read(text.encode("utf-8", "surrogatepass"))


def repeats(part: Any, before: str = "") -> Iterator[Run]:
    """Texts for every repeat in a parsed pattern: its content again and again, with and without what goes before."""
    for op, given in part:
        if str(op).endswith("_REPEAT") and given[1] > FEW:
            for unit in {sample(given[2], turn) for turn in range(4)} - {""}:
                yield from (Run((unit,), before, "\0"), Run((before + unit,)), Run((before + unit * 40,), "", "\n!"))
        for inner in given if isinstance(given, tuple) else [given]:
            for branch in inner if isinstance(inner, list) else [inner]:
                if isinstance(branch, parser.SubPattern):
                    yield from repeats(branch, before)
        before += sample([(op, given)], 1)


def sample(part: Any, turn: int) -> str:
    """A text that a part of a parsed pattern matches, another one at each turn, as far as there are any."""
    text = ""
    for op, given in part:
        name = str(op)
        if name == "LITERAL":
            text += chr(given)
        elif name in {"IN", "ANY", "NOT_LITERAL"}:
            one = parser.SubPattern(parser.State(), [(op, given)])
            held = [sign for sign in " aA1.-\n'\"<[>]/@_|:,“(" if compiler.compile(one).fullmatch(sign)]
            text += held[turn % len(held)] if held else ""
        elif name.endswith("_REPEAT"):
            text += sample(given[2], turn) * max(given[0], turn % 2)
        elif name == "BRANCH":
            text += sample(given[1][turn % len(given[1])], turn)
        elif name in {"SUBPATTERN", "ATOMIC_GROUP"}:
            text += sample(given[-1] if name == "SUBPATTERN" else given, turn)
    return text


MODULES = sorted(
    {module.name for module in pkgutil.walk_packages(rag.__path__, "rag.")} - {"rag.server.migrations.env"}
)
"""But for what Alembic runs, which can be imported by it alone."""


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_no_pattern_is_slow_on_any_run(module: str) -> None:
    """Tried by `findall`, which searches every place as `sub` does, and by `fullmatch`."""
    slow = []
    for name, value in vars(importlib.import_module(module)).items():
        for pattern in patterns(value):
            own = list(repeats(parser.parse(pattern.pattern, pattern.flags)))
            find, match = reading(pattern, "findall"), reading(pattern, "fullmatch")
            tried = [(find, run) for run in RUNS + own] + [(match, run) for run in own]
            slow += [(name, *found) for found in islice((one for one in tried if is_slow(*one, seconds=0.2)), 1)]
    assert not slow


@pytest.mark.slow
def test_a_pattern_that_is_slow_is_found() -> None:
    for pattern in (r"\s+x", r"\w+@", r"b(?:a|aa)+$", r"so .*differ"):
        slow = (
            run for run in [*repeats(parser.parse(pattern)), *RUNS] if is_slow(re.compile(pattern).findall, run, 0.1)
        )
        assert next(slow, None), pattern


@pytest.mark.parametrize("module", MODULES)
def test_every_pattern_is_where_the_test_of_its_time_finds_it(module: str) -> None:
    """That is at the level of its module, where it is also compiled only once."""
    source = Path(importlib.import_module(module).__file__ or "").read_text(encoding="utf-8")
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.Lambda)]
    calls = {node for function in functions for node in ast.walk(function) if isinstance(node, ast.Call)}
    inside = [ast.unparse(call) for call in calls if re.match(r"re\.(?!escape\b)\w+\(", ast.unparse(call))]
    assert not inside and "from re import" not in source


def passage_of(text: str) -> Passage:
    return Passage(0, "d", "d", "", 0, len(text), text)


FUNCTIONS: dict[str, Callable[[str], object]] = {
    "headings": headings,
    "without_data": without_data,
    "oddness and is_wide": lambda text: (oddness(text), is_wide(text)),
    "clean": clean,
    "without": lambda text: without(_MARK, text),
    "tokens": tokens,
    "content_words": content_words,
    "ranked": lambda text: source_sentences().ranked(text[:2_000], [passage_of(text)]),
    "extract": lambda text: extract(source_sentences().of(passage_of(text)), 5),
    "without_links": lambda text: without_links(text, text),
    "points_back and last_turn": lambda text: stand_alone(text, [(text, text)]),
    "length_asked": length_asked,
    "outline and part_of": lambda text: part_of(text, outline([passage_of(text)]), frozenset({"a"})),
    "kind_of": KindClassifier.shipped().kind_of,
    "adds_nothing": lambda text: adds_nothing(text, text),
    "misattributed": lambda text: misattributed(text, [(text, text)]),
    "unfounded": lambda text: unfounded(text, text),
    "unfounded in another text": lambda text: unfounded(text, "".join(reversed(text))),
    "contradicts": lambda text: contradicts("Fish swim in the pond.", text),
    "quantities": quantities,
    "as_markdown": lambda text: as_markdown([Turn(1, text, text=text)]),
}


@pytest.mark.slow
@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_function_is_slow_on_any_run(function: str) -> None:
    assert next((run for run in RUNS if is_slow(FUNCTIONS[function], run, seconds=2)), None) is None


def distinct(name: str, count: int) -> str:
    return " ".join(f"x {name}{number}q" for number in range(count))


@pytest.mark.slow
def test_many_different_names_are_told_apart_in_no_time() -> None:
    """No two of them are the same, so what is known of one helps with no other."""
    names, others = distinct("Abcdef", 15_000), distinct("Abcdefg", 15_000)
    assert not is_slow(lambda text: unfounded(names[: len(text)], others[: len(text)]), Run(("a",)), seconds=2)
    asked = list(map(str, range(600)))
    assert not is_slow(lambda text: [_occurs(one, text[:2_000]) for one in asked for _ in range(300)], Run(("a",)), 2)
