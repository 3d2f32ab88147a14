import pytest

from rag.answer.attribution import misattributed, speakers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Anna Smith said that it rains.", [{"anna", "smith"}]),
        ("The minister, Anna Smith, also stated: “It rains.”", [{"anna", "smith"}]),
        ("“It rains,” said Mark Brown.", [{"mark", "brown"}]),
        ("According to O’Brien, it rains.", [{"o'brien"}]),
        ("He has argued that it rains.", [set()]),
        ("While Brown noted the rain, she denied it.", [{"brown"}, set()]),
        ("Ukraine’s calls for help were heard.", []),
        ("It urges Western allies to act.", [set()]),
        ("It rains.", []),
        ("The poet al-Assad, a guest, has also later clearly said it.", [{"assad"}]),
        (
            "Former NATO Secretary General Jens Stoltenberg of Norway said it.",
            [{"former", "nato", "jens", "stoltenberg", "norway"} - {"of"} | {"of"}],
        ),
    ],
)
def test_the_subjects_of_saying_something_are_found(text: str, expected: list[set[str]]) -> None:
    assert [set(name) for name in speakers(text)] == expected


@pytest.mark.parametrize(
    ("answer", "source", "before", "expected"),
    [
        ("Smith said that it rains.", "“It rains,” said Anna Smith.", "", False),
        ("Brown said that it rains.", "“It rains,” said Anna Smith.", "Brown was there.", True),
        ("Brown said that it rains.", "She said that it rains.", "Mark Brown stated it. Anna Smith replied.", True),
        ("Smith said that it rains.", "She said that it rains.", "Mark Brown stated it. Anna Smith replied.", False),
        ("Smith said that it rains.", "It will rain.", "Smith announced the weather.", False),
        ("Brown said that it rains.", "It will rain.", "Smith announced the weather.", True),
        ("Norway said that it rains.", "They said that it rains.", "Brown denied it. Norway and Peru resisted.", False),
        ("Brown proposed a park.", "Brown’s plan is a park.", "", False),
        ("Someone said that it rains.", "It rains.", "", True),
        ("The park is green.", "“It rains,” said Anna Smith.", "", False),
        ("Researchers said that it rains.", "Researchers at Oslo University said that it rains.", "", False),
        ("Oslo University said that it rains.", "Researchers at Oslo University said that it rains.", "", False),
        ("Officials in Bergen said that it rains.", "Officials in Oslo said that it rains.", "", True),
        ("Doctors said that it rains.", "Researchers at Oslo University said that it rains.", "", True),
    ],
)
def test_nobody_is_said_to_have_said_what_another_said(answer: str, source: str, before: str, expected: bool) -> None:
    assert misattributed(answer, [(source, before)]) is expected
