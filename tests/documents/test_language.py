import pytest

from rag.documents.language import language_of
from rag.replies import LANGUAGES


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The canteen opens at half past eleven.", "en"),
        ("Die Kantine öffnet um halb zwölf und schließt um zwei Uhr.", "de"),
        ("La cantine ouvre à onze heures et demie.", "fr"),
        ("Столовая открывается в половине двенадцатого.", "ru"),
        ("食堂十一点半开门，下午两点关门。", "zh"),
        ("食堂は十一時半に開きます。", "ja"),
        ("Kantina åpner klokken halv tolv, og den stenger klokken to.", "no"),
    ],
)
def test_the_language_of_a_text_is_told(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    "text", ["", "42", "E-4012", "NATO?", "vitamin c", "When did Otto von Bismarck die?", "\ud800"]
)
def test_what_may_well_be_english_is(text: str) -> None:
    assert language_of(text) == "en" == language_of(text, LANGUAGES)


def test_of_a_long_text_the_beginning_and_the_middle_count() -> None:
    german = "Der Bericht wurde vom Ausschuss besprochen und an alle Abteilungen verteilt. "
    assert language_of("A short note in English comes first. " + german * 1_000) == "de"


def test_only_those_asked_for_are_told() -> None:
    assert language_of("Столовая открывается в половине двенадцатого.", {"en", "de"}) == "en"
