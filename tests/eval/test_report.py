"""The page of a report, read back with a parser."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag
from records import ANSWERED, DOCUMENT, EVIDENCE, FACT, FAILED, GOOD, HELD_BACK, OUTSIDE, REFUSED, record

from eval.record import Record
from eval.report import page, plots
from eval.results import Result, save
from eval.summary import summarise
from rag.settings import read_settings
from rag.types import Sentence

RECORDS = [
    replace(ANSWERED, question=replace(FACT, id="first"), confidence=0.9),
    replace(HELD_BACK, question=replace(FACT, id="second"), confidence=0.2),
    replace(REFUSED, question=replace(OUTSIDE, id="third"), confidence=0.1),
    replace(FAILED, question=replace(OUTSIDE, id="fourth")),
]


def result(records: list[Record], name: str = "one", chain: str = "chat") -> Result:
    return Result(Path(f"{name}.json"), "today", "set", {"passages": 2}, 2, {"d": "Article"}, {chain: records})


def read(text: str) -> BeautifulSoup:
    return BeautifulSoup(text, "lxml")


def questions(soup: BeautifulSoup) -> list[Tag]:
    return list(soup.find_all("details"))


def sections(question: Tag) -> dict[str, str]:
    return {
        heading.get_text(): " ".join(section.get_text(" ").split()).removeprefix(heading.get_text()).strip()
        for section in question.find_all("section")
        if (heading := section.find("h3"))
    }


@pytest.mark.slow
def test_the_wrong_answers_come_first() -> None:
    soup = read(page([result(RECORDS)]))
    shown = [one.find("small").get_text().split(" ")[0] for one in questions(soup)]  # type: ignore[union-attr]
    assert shown == ["second", "fourth", "first", "third"]
    headings = [one.get_text() for one in soup.find_all("h2")]
    assert headings[-2:] == ["Wrong: 2 of 4", "Right: 2 of 4"]


@pytest.mark.slow
def test_a_question_stands_beside_its_answer_evidence_and_citations() -> None:
    soup = read(page([result([replace(RECORDS[0], question=replace(FACT, history=(("And?", "So."),)))])]))
    (question,) = questions(soup)
    assert "✓" in question.summary.get_text() and "Who?" in question.summary.get_text()  # type: ignore[union-attr]
    found = sections(question)
    assert found["Before"] == "And? So."
    assert found["Answer, chat"].startswith("He did. 1 2 Perhaps. right; confidence 0.90; 3.0 s; F1 0.50")
    assert found["Reference"] == "He"
    assert found["Evidence"] == "x xx"
    assert found["Citations, chat"] == "1 Article · touches the evidence xxxx 2 Article xxxxxxxxxx"
    assert found["Passages found, chat"] == "Article, 0–20 · holds evidence Article, 40–70 · holds evidence"
    unsupported = question.find(class_="unsupported")
    assert unsupported is not None and unsupported.get_text() == "Perhaps."


@pytest.mark.slow
def test_what_there_is_not_is_said() -> None:
    soup = read(page([result([RECORDS[2], replace(RECORDS[3], searched="Which?", judged=False)])]))
    failed, refused = (sections(one) for one in questions(soup))
    assert (refused["Reference"], refused["Evidence"]) == ("The documents do not answer.", "None.")
    assert "right, abstained" in refused["Answer, chat"]
    assert "Citations, chat" not in refused
    assert failed["Answer, chat"].startswith("Failed: The file")
    assert "judged wrong" in failed["Answer, chat"]
    assert failed["Passages found, chat"] == "Searched: Which?"


@pytest.mark.slow
def test_what_was_quoted_stands_where_citations_do() -> None:
    (quoting,) = questions(read(page([result([replace(HELD_BACK, near=(GOOD,))])])))
    found = sections(quoting)
    assert "wrong, nearest sentence quoted" in found["Answer, chat"]
    assert found["Citations, chat"] == "1 Article · touches the evidence xxxx"


@pytest.mark.slow
def test_several_results_stand_side_by_side() -> None:
    worse = [replace(RECORDS[0], correct=False), *RECORDS[1:3]]
    soup = read(page([result(RECORDS), result(worse, "two")]))
    first = questions(soup)[0]
    assert [one.get_text() for one in first.summary.find_all("b")] == ["✓", "✗"]  # type: ignore[union-attr]
    assert {"Answer, one chat", "Answer, two chat"} <= set(sections(first))
    assert len(questions(soup)) == 4
    assert "two.json: the set set, measured today. Settings: passages 2." in " ".join(soup.get_text().split())


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;<b>"


@pytest.mark.slow
def test_hostile_text_stays_text() -> None:
    cited = replace(GOOD, title=HOSTILE, quote=HOSTILE)
    one = record(
        replace(
            FACT, id=HOSTILE, kind=HOSTILE, question=HOSTILE, answers=(HOSTILE,), evidence=(HOSTILE,),
            history=((HOSTILE, HOSTILE),),
        ),
        text=HOSTILE, searched=HOSTILE * 2, citations=(cited,), sentences=(Sentence(HOSTILE, (cited,), False),),
        evidence=EVIDENCE, hits=ANSWERED.hits,
    )  # fmt: skip
    other = record(replace(OUTSIDE, id=HOSTILE), text=HOSTILE, error=HOSTILE, confidence=0.3)
    made = Result(
        Path(HOSTILE.replace("/", "")), HOSTILE, HOSTILE, {HOSTILE: HOSTILE}, 2, {"d": HOSTILE},
        {HOSTILE: [one, other, replace(other, error=None, confidence=0.4, question=FACT)]},
    )  # fmt: skip
    soup = read(page([made]))
    allowed = {
        "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "div", "table", "tr", "th",
        "td", "figure", "img", "details", "summary", "b", "small", "section", "sup",
        "span", "blockquote", "br", "i", "ol", "li",
    }  # fmt: skip
    assert {tag.name for tag in soup.find_all(True)} <= allowed
    names = {name for tag in soup.find_all(True) for name in tag.attrs}
    assert not {name for name in names if name.startswith("on")} and not names & {"href", "style"}
    assert all(str(one["src"]).startswith("data:image/svg+xml;base64,") for one in soup.find_all("img"))
    assert soup.get_text().count(HOSTILE) > 15


@pytest.mark.slow
def test_nothing_is_fetched_and_no_script_runs() -> None:
    text = page([result(RECORDS)])
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in text
    assert "://" not in text and "url(" not in text and "@import" not in text
    assert "prefers-color-scheme: dark" in text and "width=device-width" in text
    assert text == page([result(RECORDS)])


def test_the_plots_of_records_that_one_can_count() -> None:
    risk, trust, times, recall = plots({"chat": RECORDS}, 2)
    assert risk.lines == {"chat": [(1 / 4, 0)]}  # One answer in four questions, and it is right.
    assert trust.lines["chat: the answer is right"] == [(0.9, 1)]
    assert trust.lines["chat: the question is answerable"] == [(0.1, 0), (0.2, 1), (0.9, 1)]  # Without the failed one.
    assert times.lines["chat: total"] == [(3, 1 / 3), (4, 2 / 3), (5, 1)]
    assert recall.lines == {"chat": [(1, 0.25), (2, 0.5)]}


def test_a_chain_that_is_always_sure_has_no_risk_curve() -> None:
    sure = [replace(one, confidence=float(not one.abstained)) for one in RECORDS]
    risk, trust, *_ = plots({"baseline": sure}, 2)
    assert (risk.lines, trust.lines) == ({}, {})


@pytest.mark.slow
def test_the_command_takes_the_newest_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from eval.__main__ import main

    monkeypatch.chdir(tmp_path)
    assert main(["report"]) == 1
    assert "There are no results in 'results'; make some with: python -m eval" in capsys.readouterr().err
    (tmp_path / "results").mkdir()
    path = save(
        Path("results"), settings=read_settings(), questions="set.jsonl", documents={"d": DOCUMENT},
        chains={"chat": RECORDS}, summaries={"chat": summarise(RECORDS, 2)},
    )  # fmt: skip
    assert json.loads(path.read_text())["records"]["chat"]
    assert main(["report"]) == 0
    assert capsys.readouterr().out == "Report: report.html\n"
    assert len(questions(read(Path("report.html").read_text(encoding="utf-8")))) == 4
    assert main(["report", str(path), "--out", "none/report.html"]) == 1
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.slow
def test_results_of_the_same_name_in_two_folders_stay_two() -> None:
    first = result(RECORDS)
    text = page([replace(first, path=Path("before/run.json")), replace(first, path=Path("after/run.json"))])
    assert "before/run.json chat" in text and "after/run.json chat" in text
