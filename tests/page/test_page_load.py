"""Twenty people at the page at once, through what their browsers send, with a model of 20 tokens a second."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from browser import HITS, answer, serving_page
from fakes import Event

from rag.types import Sentence

USERS, AT_ONCE, TOKENS, PACE = 20, 4, 10, 0.05


def speak(question: str) -> Iterator[Event]:
    yield HITS
    for number in range(TOKENS):
        time.sleep(PACE)  # the model's speed, not a wait for something
        yield f"{number} "
    yield answer(Sentence(f"Answer to {question}.", (), True))


def asking(address: str) -> tuple[int, int]:
    """The numbers of the event that asks and of the text box that triggers it."""
    config = httpx.get(f"{address}config").json()
    (box,) = [each["id"] for each in config["components"] if each["props"].get("elem_id") == "question"]
    (event,) = [each["id"] for each in config["dependencies"] if [box, "submit"] in each["targets"]]
    return event, box


def visit(address: str, user: int, event: int, box: int) -> dict[str, float]:
    """Ask as a browser does; gives the seconds to the passages and to the end."""
    question, session, seen = f"Question {user}?", f"session{user}", dict[str, float]()
    with httpx.Client(base_url=address, timeout=60) as client:
        client.get("/")  # for the cookie
        began = time.perf_counter()
        joined = {"data": [question, "", None], "fn_index": event, "session_hash": session, "trigger_id": box}
        client.post("/gradio_api/queue/join", json=joined).raise_for_status()
        with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as events:
            for line in events.iter_lines():
                message: Any = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
                text = json.dumps(message)
                if "Paragraph 3 speaks" in text:
                    seen.setdefault("passages", time.perf_counter() - began)
                if f"Answer to {question}" in text:
                    seen["end"] = time.perf_counter() - began
                if message.get("msg") == "process_completed":
                    assert message["success"] and seen.keys() == {"passages", "end"}, text
                    return seen
    raise AssertionError("the stream ended early")


@pytest.mark.browser
def test_twenty_people_at_once_see_their_passages_at_once_and_are_answered_in_turn(tmp_path: Path) -> None:
    with serving_page(tmp_path, at_once=AT_ONCE) as (bot, address):
        bot.script = speak
        event, box = asking(address)
        visit(address, USERS, event, box)  # the first one loads what is loaded on demand
        with ThreadPoolExecutor(USERS) as pool:
            seen = list(pool.map(lambda user: visit(address, user, event, box), range(USERS)))
    passages, ends = sorted(one["passages"] for one in seen), sorted(one["end"] for one in seen)
    print(
        f"passages: {passages[USERS // 2]:.2f} s, at most {passages[-1]:.2f} s; end: {ends[0]:.2f} to {ends[-1]:.2f} s"
    )
    assert len(bot.asked) == USERS + 1
    assert passages[-1] < 3.0, passages  # 1 s on an idle machine
    assert ends[-1] < 4 * USERS / AT_ONCE * TOKENS * PACE + 3, ends
