"""Thresholds: what a file may say, and what does not keep them."""

from pathlib import Path

import pytest
from records import RECORDS, REFUSED

from eval.summary import summarise
from eval.thresholds import Threshold, ThresholdError, broken, read_thresholds

ROOT = Path(__file__).parents[2]


def write(folder: Path, text: str) -> Path:
    path = folder / "thresholds.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_bounds_are_read(tmp_path: Path) -> None:
    path = write(
        tmp_path, "[chat]\nright = 0.7\ntotal_p95 = {most = 20}\ncited = {least = 0, most = 1.0}\n[baseline]\nf1 = 1\n"
    )
    assert read_thresholds(path, ["chat", "baseline"]) == [
        Threshold("chat", "right", 0.7, None),
        Threshold("chat", "total_p95", None, 20),
        Threshold("chat", "cited", 0, 1.0),
        Threshold("baseline", "f1", 1, None),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[chat", "are not TOML .*; correct them"),
        ("[chat]\nrigth = 1", "names the figure 'rigth'; the known ones: right, .*, abstention_recall, .*total_p95"),
        ("[other]\nright = 1", "names the chain 'other', and those measured are: chat; correct it"),
        ("right = 1", "names the chain 'right'"),
        ("[chat]\nright = 'high'", "The bound of 'right' in .* is 'high'; write a number"),
        ("[chat]\nright = true", "is True; write a number"),
        ("[chat]\nright = {}", "write a number"),
        ("[chat]\nright = nan", "is nan; write a number"),
        ("[chat]\nright = {max = 1}", "write a number"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ThresholdError, match=message):
        read_thresholds(write(tmp_path, text), ["chat"])


def test_a_file_that_is_missing_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ThresholdError, match="name a file that exists"):
        read_thresholds(tmp_path / "none.toml", ["chat"])
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ThresholdError, match="are not TOML"):
        read_thresholds(tmp_path / "binary.toml", ["chat"])


def test_a_bound_that_is_reached_is_kept() -> None:
    summaries = {"chat": summarise(RECORDS, 2)}  # right is 0.5, total_p50 4.
    assert broken([Threshold("chat", "right", 0.5, 0.5), Threshold("chat", "total_p50", None, 4)], summaries) == []
    assert broken([Threshold("chat", "right", 0.51, None), Threshold("chat", "total_p50", None, 3.9)], summaries) == [
        "right of chat is 0.5, below its threshold 0.51.",
        "total_p50 of chat is 4, above its threshold 3.9.",
    ]


def test_what_was_not_measured_is_not_kept() -> None:
    (sentence,) = broken([Threshold("chat", "f1", 0.1, None)], {"chat": summarise([REFUSED], 2)})
    assert sentence == "f1 of chat has no value here, so its threshold cannot be kept."


def test_the_shipped_thresholds_can_be_read() -> None:
    found = {one.figure for one in read_thresholds(ROOT / "eval" / "thresholds.toml", ["chat"])}
    assert {"right", "abstention_recall"} <= found
