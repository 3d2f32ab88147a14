"""The loop over questions, the judge and the command, on a chatbot that follows a script."""

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from fakes import Event, FakeBot, answer, cite, hit, quoted
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.language_models import BaseChatModel, FakeListChatModel

from eval.__main__ import main
from eval.dataset import Place, Question
from eval.options import parse
from eval.record import Times
from eval.run import judge, run
from rag.errors import ModelError, StoreError
from rag.settings import read_settings
from rag.types import Document, Evidence, Sentence

TEXT = "Mark Rutte is NATO’s chief. He was in Brussels."
DOCUMENT = Document("d", "folder/article.txt", "Article", TEXT)
CITATION = cite(1, TEXT[:27], DOCUMENT)
CHIEF = Question(
    "chief", "fact", "Who is the chief?", ("Mark Rutte",), (("Hello?", "Hello."),), (("Rutte",),),
    evidence=("Mark Rutte is NATO’s chief.",),
)  # fmt: skip
AGE = Question("age", "nearly said", "How old is he?", ())
CITY = Question("city", "fact", "Which city?", ("Brussels",), must=(("Brussels",),))


class ScriptedBot(FakeBot):
    """Knows the chief, abstains from the age, and fails when it is asked about a city; `before` sees each question."""

    embedder = DeterministicFakeEmbedding(size=4)

    def __init__(self, before: Callable[[str], None] = lambda question: None) -> None:
        super().__init__(self.says, d=DOCUMENT)
        self.before, self.model = before, FakeListChatModel(responses=["Yes."])

    def says(self, question: str) -> Iterator[Event]:
        self.before(question)
        yield [hit(DOCUMENT)]
        if question == CITY.question:
            raise ModelError("The model at /home/somebody/model.gguf is down; start it.")
        known = question == CHIEF.question
        yield Evidence((CITATION,))
        yield from ("Mark Rutte", " leads NATO.") if known else ()
        text = "Mark Rutte leads NATO." if known else "The documents do not say."
        said = answer(Sentence(text, (CITATION,), True)) if known else answer(text=text, abstained=True)
        yield replace(said, question=f"{question} (searched)", hits=(hit(DOCUMENT),), signals={"stated": 2.0})


def test_run_records_answers_abstentions_and_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr("eval.record.perf_counter", lambda: next(clock))
    bot = ScriptedBot()
    chief, age, city = run(bot, [CHIEF, AGE, CITY], bot.documents)

    assert bot.asked[0] == (CHIEF.question, [("Hello?", "Hello.")], [])
    assert (chief.text, chief.correct, chief.abstained, chief.confidence) == (
        "Mark Rutte leads NATO.", True, False, 0.9,
    )  # fmt: skip
    assert chief.searched == "Who is the chief? (searched)"
    assert chief.f1 == pytest.approx(2 / 3)
    assert (chief.hits, chief.evidence) == ((Place("d", 0, len(TEXT)),), ((Place("d", 0, 27),),))
    assert chief.citations == (CITATION,)
    assert (chief.signals, city.signals) == ({"stated": 2.0}, {})
    assert chief.times == Times(passages=1, first_token=2, total=3)

    assert (age.correct, age.abstained, age.f1) == (True, True, None)
    assert age.times == Times(passages=1, first_token=None, total=2)

    assert (city.correct, city.abstained, city.f1, city.error_kind) == (False, False, 0.0, "ModelError")
    assert city.error == "The model at /home/somebody/model.gguf is down; start it."
    assert (city.hits, city.times) == ((), Times(passages=None, first_token=None, total=2))


def test_what_is_quoted_in_the_place_of_an_answer_is_kept() -> None:
    bot = FakeBot(lambda question: iter([[hit(DOCUMENT)], quoted(CITATION, question=question)]), d=DOCUMENT)
    chief, age = run(bot, [CHIEF, AGE], bot.documents)
    assert (chief.near, chief.quoted, chief.correct, chief.abstained) == ((CITATION,), True, False, True)
    assert (age.near, age.quoted, age.correct) == ((CITATION,), False, True)


def test_holding_back_an_answer_earns_no_f1() -> None:
    bot = ScriptedBot()
    (record,) = run(bot, [replace(AGE, answers=("They do not say.",))], bot.documents)
    assert (record.abstained, record.correct, record.f1) == (True, False, 0.0)


def test_a_failure_is_wrong_whatever_the_reference() -> None:
    bot = ScriptedBot()
    (record,) = run(bot, [replace(CITY, answers=("The",), must=())], bot.documents)
    assert (record.correct, record.f1) == (False, 0.0)


def test_run_lets_faults_of_the_program_through() -> None:
    def broken(question: str) -> None:
        raise ZeroDivisionError

    endless = ScriptedBot()
    endless.script = lambda question: iter(list(endless.says(question))[:-1])
    with pytest.raises(ZeroDivisionError):
        run(ScriptedBot(broken), [CHIEF], {})
    with pytest.raises(RuntimeError, match="'chief' ended without an Answer"):
        run(endless, [CHIEF], {})


def test_judge_asks_only_about_answers_that_can_be_compared() -> None:
    bot = ScriptedBot()
    records = run(bot, [CHIEF, AGE, CITY, CHIEF], bot.documents)
    judged = judge(read_settings(), FakeListChatModel(responses=[" yes, it does", "No."]), records)
    assert [record.judged for record in judged] == [True, True, False, False]


# The command


def opens(monkeypatch: pytest.MonkeyPatch, before: Callable[[str], None] = lambda question: None) -> ScriptedBot:
    """Let the command open a new scripted bot, which is returned."""
    bot = ScriptedBot(before)

    @contextmanager
    def opened(*_: object, **__: object) -> Iterator[ScriptedBot]:
        yield bot

    monkeypatch.setattr("eval.run.Chatbot", SimpleNamespace(open=opened))
    return bot


def impatient(question: str) -> None:
    if question == AGE.question:
        raise KeyboardInterrupt


@pytest.fixture
def questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set of the three questions; the command opens the scripted bot."""
    opens(monkeypatch)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "set.jsonl"
    keys = ("id", "kind", "question", "answers", "must")
    rows = [{key: getattr(one, key) for key in keys} for one in (CHIEF, AGE, CITY)]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def command(questions: Path, *arguments: str) -> int:
    return main(["--questions", str(questions), *arguments])


def test_the_command_prints_the_table_and_writes_the_results(
    questions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(questions, "--baseline", "--judge", "--out", "deep/results") == 0
    out = capsys.readouterr().out
    assert re.search(r"^all +chat +3 +2 +0\.67", out, re.MULTILINE)
    assert re.search(r"^all +baseline +3 +0 +0\.00", out, re.MULTILINE)
    assert "city: Which city?\n    Failed: The model at" in out
    assert "chief: Who is the chief?\n    Yes." in out.partition("Wrong answers of baseline:")[2]
    (result,) = Path("deep/results").glob("*.json")
    assert f"Results: {result}" in out
    text = result.read_text(encoding="utf-8")
    assert set(json.loads(text)["records"]) == {"chat", "baseline"}
    assert "/" not in text.replace("yes/no", "")


def test_the_command_selects_questions(
    questions: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command(questions, "--kind", "fact", "--limit", "1") == 0
    out = capsys.readouterr().out
    assert re.search(r"^all +1 +1 +1\.00", out, re.MULTILINE) and "Wrong answers" not in out
    bot = opens(monkeypatch)
    assert command(questions, "--sample", "2", "--seed", "3") == 0
    assert sorted(asked == AGE.question for asked, *_ in bot.asked) == [False, True]


def test_the_command_fails_with_one_sentence(
    questions: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise StoreError("There is no index in 'index'; run: python ingest.py")

    assert command(Path("none.jsonl")) == 1
    assert capsys.readouterr().err.startswith("The question set 'none.jsonl' cannot be read")
    assert command(questions, "--kind", "poem") == 1
    assert "'poem'; its kinds are: fact, nearly said." in capsys.readouterr().err
    assert command(questions, "--out", str(questions)) == 1
    assert "cannot be made (File exists); name another --out folder." in capsys.readouterr().err
    monkeypatch.setattr("eval.run.Chatbot", SimpleNamespace(open=missing))
    assert command(questions) == 1
    assert capsys.readouterr().err == "There is no index in 'index'; run: python ingest.py\n"
    with pytest.raises(SystemExit, match="2"):
        main(["--limit", "0"])


WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(["matplotlib", "sklearn", "jinja2", "langchain_chroma"]))
from eval.__main__ import main
print([main(arguments) for arguments in (["report"], ["fit", "x"], ["--baseline"], ["compare", "none.json"])])
"""


@pytest.mark.slow
def test_what_needs_the_extra_says_so() -> None:
    ran = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert ran.stdout == "[1, 1, 1, 1]\n"
    *needing, compare = ran.stderr.splitlines()
    assert needing == [
        f'The command "python -m eval {asked}" needs the extra "eval"; '
        'run: pip install -c constraints.txt -e ".[local,eval]"'
        for asked in ("report", "fit", "--baseline")
    ]
    assert "name a file that exists" in compare


def test_an_interrupted_run_goes_on_where_it_was(
    questions: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opens(monkeypatch, impatient)
    assert command(questions) == 130
    assert "Interrupted; 1 of 3 answers are kept, the same command goes on there." in capsys.readouterr().err
    bot = opens(monkeypatch)
    assert command(questions) == 0
    assert [asked for asked, *_ in bot.asked] == [AGE.question, CITY.question]
    read = capsys.readouterr()
    assert "1 of 3 answers of chat were kept; --again starts anew." in read.err
    assert re.search(r"^all +3 +2", read.out, re.MULTILINE)
    assert len(list(Path("results").glob("*.json"))) == 1
    assert "Questions that failed: 1; the same command asks these again." in read.err
    again = opens(monkeypatch)
    assert command(questions) == 0
    assert [asked for asked, *_ in again.asked] == [CITY.question]


def test_another_run_or_again_starts_anew(questions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opens(monkeypatch, impatient)
    assert command(questions) == 130
    bot = opens(monkeypatch)
    assert command(questions, "--limit", "2") == 0
    assert len(bot.asked) == 2
    assert len(list(Path("results/partial").iterdir())) == 1  # Of the run that was interrupted, not of this one.
    bot = opens(monkeypatch)
    assert command(questions, "--again") == 0
    assert len(bot.asked) == 3


def test_a_figure_below_its_threshold_fails_the_command(questions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bounds = Path("thresholds.toml")
    bounds.write_text("[chat]\nright = 0.6\ntotal_p50 = {most = 60}\n", encoding="utf-8")
    assert command(questions, "--thresholds", str(bounds)) == 0
    bounds.write_text("[chat]\nright = 0.7\nfailed = {most = 0}\n", encoding="utf-8")
    capsys.readouterr()
    assert command(questions, "--thresholds", str(bounds)) == 1
    read = capsys.readouterr()
    assert read.err.endswith(
        "right of chat is 0.667, below its threshold 0.7.\nfailed of chat is 1, above its threshold 0.\n"
    )
    assert "Results: " in read.out


def test_a_folder_is_indexed_and_its_questions_asked(questions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[tuple[Path, Path]] = []
    monkeypatch.setattr("eval.run.build", lambda folder, settings, out: built.append((folder, out)) or settings)
    monkeypatch.setattr("eval.run.mapped", lambda all_of, *_: [replace(one, doc_ids=("d",)) for one in all_of])
    bot = opens(monkeypatch)
    folder = questions.parent / "set"
    folder.mkdir()
    questions.rename(folder / "questions.jsonl")
    assert main(["--data", str(folder), "--kind", "nearly said"]) == 0
    assert built == [(folder, Path("results"))]
    assert [asked for asked, *_ in bot.asked] == [AGE.question]
    (result,) = Path("results").glob("*.json")
    written = json.loads(result.read_text(encoding="utf-8"))
    assert written["questions"] == "set"
    assert written["records"]["chat"][0]["question"]["doc_ids"] == ["d"]


def test_a_folder_without_questions_gets_drafts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def opened(*_: object) -> Iterator[BaseChatModel]:
        yield FakeListChatModel(responses=["Question: Who is NATO’s chief?\nAnswer: Mark Rutte"])

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("eval.draft.open_model", opened)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text(TEXT, encoding="utf-8")
    then = "python -m eval --data notes --questions results/notes.draft.jsonl"
    assert main(["--data", "notes"]) == 0
    assert capsys.readouterr().out == (
        "'notes' has no questions, so the model drafted 1, which are in 'results/notes.draft.jsonl'; "
        f"a person should correct them before they measure anything with: {then}\n"
    )
    drafts = Path("results/notes.draft.jsonl")
    assert json.loads(drafts.read_text(encoding="utf-8"))["doc_ids"] == ["a.txt"]
    drafts.write_text("corrected", encoding="utf-8")
    assert main(["--data", "notes"]) == 1
    assert capsys.readouterr().err.endswith(f"correct them, and measure with: {then}\n")
    assert drafts.read_text(encoding="utf-8") == "corrected"
    assert main(["--data", "none"]) == 1
    assert "There is no file or folder 'none'" in capsys.readouterr().err


def test_the_other_commands_are_told_from_the_run() -> None:
    assert parse([]).command == parse(["--limit", "1"]).command == "run"
    assert parse(["compare", "a.json", "b.json"]).results == [Path("a.json"), Path("b.json")]
    assert parse(["retrieve", "--k", "5", "1"]).k == [5, 1]
