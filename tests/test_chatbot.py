import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from fakes import ANIMALS, FISH, ScriptedModel, TopicEmbedder, TopicReranker, chatbot, publish, scripted, write
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.vectorstores import InMemoryVectorStore

from rag import chatbot as chat
from rag.bounds import QUESTION
from rag.chatbot import Chatbot
from rag.errors import QuestionError, StoreError
from rag.index.index import Index, is_sound
from rag.settings import Settings
from rag.types import Answer


def test_the_hits_come_first_then_the_pieces_then_the_answer(settings: Settings, animals: Index) -> None:
    model = scripted("Yes", "Fish swim in the pond.", "Yes")
    hits, *pieces, answer = chatbot(settings, animals, model).stream(FISH)
    assert isinstance(hits, list) and hits[0].passage.text == ANIMALS[2]
    assert "".join(map(str, pieces)) == "Fish swim in the pond."
    assert isinstance(answer, Answer)
    assert answer.text == "Fish swim in the pond."
    assert not answer.abstained and answer.confidence > 0.9
    assert [citation.quote for citation in answer.citations] == ["Fish swim in the pond."]
    assert answer.sentences[0].citations == answer.citations
    times = answer.timings
    assert times.first_token is not None
    assert 0 <= times.rewrite <= times.retrieve <= times.first_token <= times.total


def test_before_the_first_piece_nothing_but_the_hits_is_waited_for(settings: Settings, animals: Index) -> None:
    model = scripted("Yes", "Fish swim in the pond.", "Yes")
    stream = chatbot(settings, animals, model).stream(FISH)
    assert isinstance(next(stream), list)
    assert model.prompts == []


def test_the_model_reads_a_short_article_whole_and_the_best_sentences_again(settings: Settings, animals: Index) -> None:
    model = scripted("Yes", "Fish swim in the pond.", "Yes")
    chatbot(settings, animals, model).ask(FISH)
    check, answer = model.prompts
    assert all(text in check and text in answer for text in ANIMALS)
    assert "- Fish swim in the pond.\n" in answer and FISH in answer
    assert check.split("Does the text")[0] == answer.split("Answer in one")[0]


def test_of_a_long_text_only_the_passages_found_are_read(settings: Settings, animals: Index) -> None:
    model = scripted("Yes", "Fish swim in the pond.", "Yes")
    chatbot(settings.model_copy(update={"whole_article_words": 5, "passages": 1}), animals, model).ask(FISH)
    assert ANIMALS[2] in model.prompts[1]
    assert ANIMALS[0] not in model.prompts[1]


def test_a_citation_outside_the_hits_brings_its_passage_along(settings: Settings, animals: Index) -> None:
    model = scripted("Yes", "The dog is called Rex.", "Yes")
    answer = chatbot(settings.model_copy(update={"passages": 1}), animals, model).ask("Where do fish swim and eat?")
    assert [hit.passage.text for hit in answer.hits] == [ANIMALS[2], ANIMALS[1]]


def test_a_follow_up_is_searched_and_asked_with_the_turn_before(settings: Settings, animals: Index) -> None:
    model = scripted("Yes", "A dog eats two bones.", "Yes")
    answer = chatbot(settings, animals, model).ask("What does he eat?", [("Who is Rex?", "The dog is called Rex.")])
    assert answer.question == "Who is Rex? The dog is called Rex. What does he eat?"
    assert "What does he eat? (This was asked after: Who is Rex? The dog is called Rex.)" in model.prompts[1]
    assert answer.hits[0].passage.text == ANIMALS[1]


def test_the_question_before_does_not_set_the_type_of_the_answer(settings: Settings, animals: Index) -> None:
    model = scripted("Yes", "The dog is called Rex.", "Yes")
    answer = chatbot(settings, animals, model).ask("Who is he?", [("How many bones does the dog eat?", "Two bones.")])
    assert not answer.abstained and answer.confidence > 0.9


def test_a_text_that_does_not_fit_the_context_is_cut_to_what_does(settings: Settings, animals: Index) -> None:
    model = scripted("Yes", "Fish swim in the pond.", "Yes")
    bot = chatbot(settings.model_copy(update={"context": 880}), animals, model)
    assert bot.ask(FISH).text == "Fish swim in the pond."
    assert ANIMALS[2] in model.prompts[0] and ANIMALS[0] not in model.prompts[0]


def test_undecodable_bytes_in_a_question_do_no_harm(settings: Settings, animals: Index) -> None:
    assert chatbot(settings, animals, scripted("No")).ask("Fish\udce9?").question == "Fish\ufffd?"


@pytest.mark.parametrize("question", ["", " \n\t", "x" * (QUESTION + 1), "word " * 20_000])
def test_a_question_that_cannot_be_asked_is_refused(settings: Settings, animals: Index, question: str) -> None:
    with pytest.raises(QuestionError, match=r"type one|shorten it"):
        chatbot(settings, animals, scripted()).ask(question)


def test_closing_the_stream_stops_the_model(settings: Settings, animals: Index) -> None:
    closed: list[bool] = []

    class Endless(ScriptedModel):
        def _stream(self, messages: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
            try:
                while True:
                    yield from super()._stream(messages, *args, **kwargs)
                    self.i = 1
            finally:
                closed.append(True)

    stream = chatbot(settings, animals, Endless(responses=["Yes", "Fish "])).stream(FISH)
    assert [next(stream) for _ in range(4)][1:] == ["F", "i", "s"]
    stream.close()  # type: ignore[attr-defined]
    assert closed == [True]


def test_opening_without_an_index_names_the_command(settings: Settings) -> None:
    assert not is_sound(settings.index)
    with pytest.raises(StoreError, match=r"python ingest\.py"):
        Chatbot.open(settings, model=scripted(), embedder=TopicEmbedder())


def test_the_next_question_is_answered_from_the_index_published_meanwhile(settings: Settings, animals: Index) -> None:
    bot = chatbot(settings, animals, scripted("Yes", "Fish swim in the pond.", "Yes", "Fish fly."))
    assert bot.ask(FISH).text == "Fish swim in the pond."
    write(settings.data, {"new.txt": "Fish fly."})
    publish(settings.index, settings.data)
    answer = bot.ask(FISH)
    assert answer.text == "Fish fly."
    assert answer.citations[0].source.endswith("new.txt")
    assert [document.text for document in bot.documents.values()] == ["Fish fly."]


def test_only_the_chosen_documents_are_read_and_cited(settings: Settings, animals: Index) -> None:
    cat, dog, fish = animals.documents
    model = scripted("Yes", "Fish swim in the pond.", "Yes")
    answer = chatbot(settings, animals, model).ask(FISH, documents=[cat, fish])
    assert {hit.passage.doc_id for hit in answer.hits} == {cat, fish}
    assert [citation.doc_id for citation in answer.citations] == [fish]
    assert ANIMALS[0] in model.prompts[0] and ANIMALS[1] not in model.prompts[0]
    _, answer = chatbot(settings, animals, scripted("No")).stream(FISH, (), [dog])
    assert isinstance(answer, Answer) and answer.abstained
    assert [hit.passage.doc_id for hit in answer.hits] == [dog]


def test_a_choice_of_documents_that_are_all_gone_is_refused(settings: Settings, animals: Index) -> None:
    with pytest.raises(QuestionError, match=r"None of the chosen documents is in the index any more; choose others\."):
        chatbot(settings, animals, scripted()).ask(FISH, documents=["gone"])


@pytest.mark.slow
def test_a_list_of_the_documents_knows_what_was_published_before_any_question(
    settings: Settings, animals: Index
) -> None:
    bot = chatbot(settings, animals, scripted())
    write(settings.data, {"new.txt": "Fish fly."})
    publish(settings.index, settings.data)
    assert [document.text for document in bot.documents.values()] == ["Fish fly."]


def test_only_the_embedded_model_reads_ahead_where_the_settings_allow_it(
    settings: Settings, animals: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat, "open_model", lambda *_: nullcontext(scripted()))
    fakes: dict[str, Any] = {"embedder": TopicEmbedder(), "reranker": TopicReranker()}
    read = [settings.model_copy(update=change) for change in ({}, {"read_ahead": False}, {"model": "openai:gpt"})]
    assert [Chatbot.open(each, **fakes).reads_ahead for each in read] == [True, False, False]
    assert not Chatbot.open(settings, model=scripted(), **fakes).reads_ahead


@pytest.mark.slow
def test_of_articles_published_one_after_the_other_only_the_newest_is_read_ahead(
    settings: Settings, animals: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    read: queue.SimpleQueue[str] = queue.SimpleQueue()
    released = threading.Event()

    class Engine(ScriptedModel):
        def _call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
            read.put(str(messages[0].content))
            assert released.wait(10)
            return super()._call(messages, *args, **kwargs)

    monkeypatch.setattr(chat, "open_model", lambda *_: nullcontext(Engine(responses=["Yes"])))
    with Chatbot.open(settings, embedder=TopicEmbedder()) as bot:
        first = read.get(timeout=10)
        for name, options in (("Tom", {}), ("Max", {}), ("Ann", {}), ("Ann", {"rebuild": True})):
            write(tmp_path / "more", {"a.txt": f"The cat is called {name}."})
            publish(settings.index, tmp_path / "more", **options)
            bot.refresh()
        released.set()
        last = read.get(timeout=10)
        bot.ask("What is the cat called?")  # Waits for it.
        later = [read.get() for _ in range(read.qsize())]
    assert ANIMALS[0] in first and "The cat is called Ann." in last
    assert not any("Tom" in one or "Max" in one for one in later)


class Recorder(BaseCallbackHandler):
    """Remembers the kind, id and parent of every run."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, Any, Any]] = []

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: Any, parent_run_id: Any = None, **_: Any) -> None:
        self.runs.append(("chain", run_id, parent_run_id))

    def on_retriever_start(
        self, serialized: Any, query: Any, *, run_id: Any, parent_run_id: Any = None, **_: Any
    ) -> None:
        self.runs.append(("retriever", run_id, parent_run_id))

    def on_chat_model_start(
        self, serialized: Any, messages: Any, *, run_id: Any, parent_run_id: Any = None, **_: Any
    ) -> None:
        self.runs.append(("model", run_id, parent_run_id))


def test_a_trace_shows_one_tree(settings: Settings, animals: Index) -> None:
    seen = Recorder()
    chatbot(settings, animals, scripted("Yes", "Fish swim in the pond.", "Yes")).ask(FISH, config={"callbacks": [seen]})
    ids = {run_id for _, run_id, _ in seen.runs}
    roots = [run_id for _, run_id, parent in seen.runs if parent is None]
    assert len(roots) == 1 and all(parent in ids for _, _, parent in seen.runs if parent)
    kinds = [kind for kind, _, _ in seen.runs]
    assert kinds.count("retriever") == 1 and kinds.count("model") >= 2
    assert [parent for kind, _, parent in seen.runs if kind == "retriever"] == roots


@pytest.mark.parametrize(
    "asked", [FISH, {"question": FISH}, [HumanMessage("Hi"), AIMessage("Hello."), HumanMessage(FISH)]]
)
def test_a_runnable_gives_a_message_with_citations(settings: Settings, animals: Index, asked: Any) -> None:
    bot = chatbot(settings, animals, scripted("Yes", "Fish swim in the pond.", "Yes"))
    message = bot.as_runnable().invoke(asked)
    (block,) = message.content_blocks
    (citation,) = block["annotations"]  # type: ignore[typeddict-item]
    assert (
        message.text[citation["start_index"] : citation["end_index"]]
        == citation["cited_text"]
        == "Fish swim in the pond."
    )
    source = bot.documents[citation["extras"]["doc_id"]]
    assert source.text[citation["extras"]["start"] : citation["extras"]["end"]] == citation["cited_text"]


def test_the_pieces_of_a_runnable_add_up_to_its_message(settings: Settings, animals: Index) -> None:
    first, *others = (
        chatbot(settings, animals, scripted("Yes", "Fish swim in the pond.", "Yes")).as_runnable().stream(FISH)
    )
    for one in others:
        first = first + one  # type: ignore[assignment]
    (block,) = first.content_blocks
    assert block["text"] == "Fish swim in the pond." and len(block["annotations"]) == 1  # type: ignore[typeddict-item]


def test_messages_that_end_without_a_question_are_refused(settings: Settings, animals: Index) -> None:
    with pytest.raises(QuestionError, match="HumanMessage"):
        chatbot(settings, animals, scripted()).as_runnable().invoke([HumanMessage("Hi"), AIMessage("Hello.")])


def test_a_tool_finds_passages(settings: Settings, animals: Index) -> None:
    call = {"name": "search_documents", "args": {"question": FISH}, "id": "1", "type": "tool_call"}
    message = chatbot(settings, animals, scripted()).as_tool().invoke(call)
    assert message.content.startswith("[1] 2.txt\nFish swim") and message.artifact[0].passage.text == ANIMALS[2]


def test_any_retriever_of_langchain_takes_the_place_of_the_index(settings: Settings) -> None:
    store = InMemoryVectorStore.from_texts(
        [*ANIMALS, "Cats. The lake is deep."], TopicEmbedder(), [{"source": f"{number}.pdf"} for number in range(4)]
    )
    with Chatbot.open(
        settings, model=scripted("Yes", "Fish swim in the pond. Max is 13.", "Yes"), embedder=TopicEmbedder(),
        retriever=store.as_retriever(search_kwargs={"k": 2}),
    ) as bot:  # fmt: skip
        answer = bot.ask(FISH)
        (citation,) = answer.citations
        assert bot.documents[citation.doc_id].text[citation.start : citation.end] == citation.quote
        assert (citation.source, citation.quote) == ("2.pdf", "Fish swim in the pond.")
        assert answer.hits[0].passage.text == ANIMALS[2] and len(answer.hits) == bot.passages == 2
        assert [bool(sentence.why) for sentence in answer.sentences] == [False, True]
        bot.refresh()


def test_a_trace_names_the_steps_of_the_chain(settings: Settings, animals: Index) -> None:
    names: list[str] = []

    class Names(BaseCallbackHandler):
        def on_chain_start(self, serialized: Any, inputs: Any, *, name: str = "", **_: Any) -> None:
            names.append(name)

    long = settings.model_copy(update={"whole_article_words": 0})
    chatbot(long, animals, scripted("Yes", "Fish swim in the pond.", "Yes")).ask(FISH, config={"callbacks": [Names()]})
    steps = ["Chatbot", "is it stated", "answer fact", "is it grounded"]
    assert [name for name in names if name in steps] == steps


async def pieces_of(events: AsyncIterator[Any]) -> list[Any]:
    return [event async for event in events]


def test_a_runnable_streams_to_asynchronous_code_too(settings: Settings, animals: Index) -> None:
    def runnable() -> Any:
        return chatbot(settings, animals, scripted("Yes", "Fish swim in the pond.", "Yes")).as_runnable()

    pieces = asyncio.run(pieces_of(runnable().astream(FISH)))
    assert len(pieces) > 10 and [one.text for one in pieces] == [one.text for one in runnable().stream(FISH)]
    assert pieces[-1].content_blocks[0]["annotations"]
    events = asyncio.run(pieces_of(runnable().astream_events(FISH)))
    kinds = [event["event"] for event in events]
    assert kinds.count("on_chain_stream") >= len(pieces) and "on_retriever_start" in kinds


def test_who_leaves_an_asynchronous_stream_stops_the_model(settings: Settings, animals: Index) -> None:
    begun, go_on, stopped = threading.Event(), threading.Event(), threading.Event()

    class Slow(ScriptedModel):
        def _stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
            try:
                for piece in super()._stream(*args, **kwargs):
                    begun.set()
                    assert go_on.wait(10)
                    yield piece
            finally:
                stopped.set()

    async def leave() -> None:
        runnable = chatbot(settings, animals, Slow(responses=["Yes", "Fish swim.", "Yes"])).as_runnable()
        asking = asyncio.create_task(pieces_of(runnable.astream(FISH)))
        assert await asyncio.to_thread(begun.wait, 10)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        go_on.set()
        assert await asyncio.to_thread(stopped.wait, 10)

    asyncio.run(leave())


def test_the_errors_of_a_runnable_reach_asynchronous_code(settings: Settings, animals: Index) -> None:
    with pytest.raises(QuestionError, match="empty"):
        asyncio.run(pieces_of(chatbot(settings, animals, scripted()).as_runnable().astream(" ")))


@pytest.mark.slow
def test_the_retriever_finds_what_was_published_before_any_question(settings: Settings, animals: Index) -> None:
    bot = chatbot(settings, animals, scripted())
    write(settings.data, {"new.txt": "Fish fly."})
    publish(settings.index, settings.data)
    assert [found.page_content for found in bot.retriever.invoke(FISH)] == ["Fish fly."]


def test_a_check_takes_models_that_know_no_bound_with_the_call(settings: Settings, animals: Index) -> None:
    class Strict(ScriptedModel):
        def _call(self, messages: Any, stop: Any = None, run_manager: Any = None) -> str:  # type: ignore[override]
            return super()._call(messages)

        def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None) -> Iterator[Any]:  # type: ignore[override]
            yield from super()._stream(messages)

    model = Strict(responses=["Hello"])
    chatbot(settings, animals, model).check()
    assert model.prompts == ["Hello"]
