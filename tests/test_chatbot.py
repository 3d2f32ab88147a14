import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
from fakes import (
    ANIMALS,
    FISH,
    WAIT,
    ScriptedModel,
    TopicEmbedder,
    TopicReranker,
    answering,
    chatbot,
    ending,
    publish,
    write,
)
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.vectorstores import InMemoryVectorStore
from pydantic import Field

from rag import chatbot as chat
from rag.bounds import QUESTION
from rag.chatbot import Chatbot
from rag.errors import ModelError, QuestionError, StoreError
from rag.index.index import Index, is_sound
from rag.settings import Settings
from rag.types import NEAREST, Answer, Event, Evidence


def test_the_hits_come_first_then_the_evidence_the_pieces_and_the_answer(settings: Settings, animals: Index) -> None:
    model = answering("Fish swim in the pond.")
    hits, evidence, *pieces, answer = chatbot(settings, animals, model).stream(FISH)
    assert isinstance(hits, list) and hits[0].passage.text == ANIMALS[2]
    assert isinstance(evidence, Evidence)
    assert [one.quote for one in evidence.citations] == ["Fish swim in the pond.", "There are 12 fish."]
    assert "".join(map(str, pieces)) == "Fish swim in the pond."
    assert isinstance(answer, Answer)
    assert answer.text == "Fish swim in the pond."
    assert not answer.abstained and answer.confidence > 0.5 and answer.near == ()
    assert [citation.quote for citation in answer.citations] == ["Fish swim in the pond."]
    assert answer.sentences[0].citations == answer.citations
    times = answer.timings
    assert times.first_token is not None and times.evidence is not None
    assert 0 <= times.rewrite <= times.retrieve <= times.evidence <= times.first_token <= times.total


def test_hits_and_evidence_wait_for_no_model(settings: Settings, animals: Index) -> None:
    model = answering("Fish swim in the pond.")
    stream = chatbot(settings, animals, model).stream(FISH)
    assert [type(next(stream)) for _ in range(2)] == [list, Evidence]
    assert model.prompts == []


def test_where_it_is_not_sure_it_quotes_what_is_nearest(settings: Settings, animals: Index) -> None:
    unsure = settings.model_copy(update={"abstain_below": 1.0, "passages": 1})
    *_, evidence, answer = [
        one for one in chatbot(unsure, animals, answering("Fish swim.")).stream("Do fish swim, or do dogs eat?")
        if not isinstance(one, str)
    ]  # fmt: skip
    assert isinstance(answer, Answer) and isinstance(evidence, Evidence)
    assert answer.abstained and answer.sentences == answer.citations == ()
    assert answer.near == evidence.citations and {one.doc_id for one in answer.near} == set(list(animals.documents)[1:])
    assert answer.text == f"{NEAREST} “{answer.near[0].quote}” “{answer.near[1].quote}”"
    assert [hit.passage.doc_id for hit in answer.hits[:1]] != [hit.passage.doc_id for hit in answer.hits[1:]]
    assert {one.doc_id for one in answer.near} == {hit.passage.doc_id for hit in answer.hits}


def test_a_citation_outside_the_hits_brings_its_passage_along(settings: Settings, animals: Index) -> None:
    model = answering("The dog is called Rex.")
    answer = chatbot(settings.model_copy(update={"passages": 1}), animals, model).ask("Where do fish swim, and dogs?")
    assert [hit.passage.text for hit in answer.hits] == [ANIMALS[2], ANIMALS[1]]


def test_a_greeting_is_answered_without_a_search_or_the_model(settings: Settings, animals: Index) -> None:
    model = answering("Hello.")
    hits, evidence, answer = chatbot(settings, animals, model).stream("Hello!")
    assert (hits, evidence, model.prompts) == ([], Evidence(()), [])
    assert isinstance(answer, Answer)
    assert answer.abstained
    assert answer.text == "Ask a question about the documents."


def test_a_follow_up_is_searched_and_asked_with_the_turn_before(settings: Settings, animals: Index) -> None:
    model = answering("A dog eats two bones.")
    answer = chatbot(settings, animals, model).ask("What does he eat?", [("Who is Rex?", "The dog is called Rex.")])
    assert answer.question == "Who is Rex? The dog is called Rex. What does he eat?"
    assert "What does he eat? (This was asked after: Who is Rex? The dog is called Rex.)" in model.prompts[0]
    assert answer.hits[0].passage.text == ANIMALS[1]


def test_the_question_before_does_not_set_the_type_of_the_answer(settings: Settings, animals: Index) -> None:
    model = answering("The dog is called Rex.")
    answer = chatbot(settings, animals, model).ask("Who is he?", [("How many bones does the dog eat?", "Two bones.")])
    assert not answer.abstained and answer.text == "The dog is called Rex."


def test_undecodable_bytes_in_a_question_do_no_harm(settings: Settings, animals: Index) -> None:
    assert chatbot(settings, animals, answering("No.")).ask("Fish\udce9?").question == "Fish\ufffd?"


@pytest.mark.parametrize("question", ["", " \n\t", "x" * (QUESTION + 1), "word " * 20_000])
def test_a_question_that_cannot_be_asked_is_refused(settings: Settings, animals: Index, question: str) -> None:
    with pytest.raises(QuestionError, match=r"type one|shorten it"):
        chatbot(settings, animals, answering()).ask(question)


def test_closing_the_stream_stops_the_model(settings: Settings, animals: Index) -> None:
    closed: list[bool] = []

    class Endless(ScriptedModel):
        def _stream(self, messages: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
            try:
                while True:
                    yield from super()._stream(messages, *args, **kwargs)
            finally:
                closed.append(True)

    stream = chatbot(settings, animals, Endless(responses=["Fish "])).stream(FISH)
    assert [next(stream) for _ in range(5)][2:] == ["F", "i", "s"]
    stream.close()  # type: ignore[attr-defined]
    assert closed == [True]


def test_opening_without_an_index_names_the_command(settings: Settings) -> None:
    assert not is_sound(settings.index)
    with pytest.raises(StoreError, match=r"python ingest\.py"):
        Chatbot.open(settings, model=answering(), embedder=TopicEmbedder(), reranker=TopicReranker())


def test_the_next_question_is_answered_from_the_index_published_meanwhile(settings: Settings, animals: Index) -> None:
    bot = chatbot(settings, animals, answering("Fish swim in the pond.", "Fish fly."))
    assert bot.ask(FISH).text == "Fish swim in the pond."
    write(settings.data, {"new.txt": "Fish fly."})
    publish(settings.index, settings.data)
    answer = bot.ask(FISH)
    assert answer.text == "Fish fly."
    assert answer.citations[0].source.endswith("new.txt")
    assert [document.text for document in bot.documents.values()] == ["Fish fly."]


def test_only_the_chosen_documents_are_read_and_cited(settings: Settings, animals: Index) -> None:
    cat, dog, fish = animals.documents
    model = answering("Fish swim in the pond.")
    answer = chatbot(settings, animals, model).ask(FISH, documents=[cat, fish])
    assert {hit.passage.doc_id for hit in answer.hits} == {cat, fish}
    assert [citation.doc_id for citation in answer.citations] == [fish]
    assert ANIMALS[0] in model.prompts[0] and ANIMALS[1] not in model.prompts[0]
    *_, answer = chatbot(settings, animals, answering("No.")).stream(FISH, (), [dog])
    assert isinstance(answer, Answer) and answer.abstained
    assert [hit.passage.doc_id for hit in answer.hits] == [dog]


def test_a_choice_of_documents_that_are_all_gone_is_refused(settings: Settings, animals: Index) -> None:
    with pytest.raises(QuestionError, match=r"None of the chosen documents is in the index any more; choose others\."):
        chatbot(settings, animals, answering()).ask(FISH, documents=["gone"])


@pytest.mark.slow
def test_a_list_of_the_documents_knows_what_was_published_before_any_question(
    settings: Settings, animals: Index
) -> None:
    bot = chatbot(settings, animals, answering())
    write(settings.data, {"new.txt": "Fish fly."})
    publish(settings.index, settings.data)
    assert [document.text for document in bot.documents.values()] == ["Fish fly."]


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
    chatbot(settings, animals, answering("Fish swim in the pond.")).ask(FISH, config={"callbacks": [seen]})
    ids = {run_id for _, run_id, _ in seen.runs}
    roots = [run_id for _, run_id, parent in seen.runs if parent is None]
    assert len(roots) == 1 and all(parent in ids for _, _, parent in seen.runs if parent)
    kinds = [kind for kind, _, _ in seen.runs]
    assert kinds.count("retriever") == kinds.count("model") == 1
    assert [parent for kind, _, parent in seen.runs if kind == "retriever"] == roots


@pytest.mark.parametrize(
    "asked", [FISH, {"question": FISH}, [HumanMessage("Hi"), AIMessage("Hello."), HumanMessage(FISH)]]
)
def test_a_runnable_gives_a_message_with_citations(settings: Settings, animals: Index, asked: Any) -> None:
    bot = chatbot(settings, animals, answering("Fish swim in the pond."))
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
    first, *others = chatbot(settings, animals, answering("Fish swim in the pond.")).as_runnable().stream(FISH)
    for one in others:
        first = first + one  # type: ignore[assignment]
    draft, block = first.content_blocks
    assert draft["reasoning"] == block["text"] == first.text == "Fish swim in the pond."  # type: ignore[typeddict-item]
    assert len(block["annotations"]) == 1  # type: ignore[typeddict-item]


def test_messages_that_end_without_a_question_are_refused(settings: Settings, animals: Index) -> None:
    with pytest.raises(QuestionError, match="end the conversation with a question"):
        chatbot(settings, animals, answering()).as_runnable().invoke([HumanMessage("Hi"), AIMessage("Hello.")])


def test_a_tool_finds_passages(settings: Settings, animals: Index) -> None:
    call = {"name": "search_documents", "args": {"question": FISH}, "id": "1", "type": "tool_call"}
    message = chatbot(settings, animals, answering()).as_tool().invoke(call)
    assert message.content.startswith("[1] 2.txt\nFish swim") and message.artifact[0].passage.text == ANIMALS[2]


def test_any_retriever_of_langchain_takes_the_place_of_the_index(settings: Settings) -> None:
    store = InMemoryVectorStore.from_texts(
        [*ANIMALS, "Cats. The lake is deep."], TopicEmbedder(), [{"source": f"{number}.pdf"} for number in range(4)]
    )
    with Chatbot.open(
        settings, model=answering("Fish swim in the pond. Max is 13."), embedder=TopicEmbedder(),
        reranker=TopicReranker(), retriever=store.as_retriever(search_kwargs={"k": 2}),
    ) as bot:  # fmt: skip
        answer = bot.ask(FISH)
        (citation,) = answer.citations
        assert bot.documents[citation.doc_id].text[citation.start : citation.end] == citation.quote
        assert (citation.source, citation.quote) == ("2.pdf", "Fish swim in the pond.")
        assert answer.hits[0].passage.text == ANIMALS[2] and len(answer.hits) == bot.passages == 2
        assert [bool(sentence.why) for sentence in answer.sentences] == [False, True]
        bot.refresh()
        assert isinstance(bot.model, ScriptedModel)
        bot.ask(FISH)
        assert len(bot.model.prompts) == 2  # It may find something else each time.


def test_a_trace_names_the_steps_of_the_chain(settings: Settings, animals: Index) -> None:
    names: list[str] = []

    class Names(BaseCallbackHandler):
        def on_chain_start(self, serialized: Any, inputs: Any, *, name: str = "", **_: Any) -> None:
            names.append(name)

    chatbot(settings, animals, answering("Fish swim in the pond.")).ask(FISH, config={"callbacks": [Names()]})
    assert names[0] == "Chatbot" and "answer fact" in names


async def pieces_of(events: AsyncIterator[Any]) -> list[Any]:
    return [event async for event in events]


def test_a_runnable_streams_to_asynchronous_code_too(settings: Settings, animals: Index) -> None:
    def runnable() -> Any:
        return chatbot(settings, animals, answering("Fish swim in the pond.")).as_runnable()

    pieces = asyncio.run(pieces_of(runnable().astream(FISH)))
    *drafts, last = runnable().stream(FISH)
    assert len(pieces) > 10 and [one.content for one in pieces[:-1]] == [one.content for one in drafts]
    assert pieces[-1].text == last.text == "Fish swim in the pond."
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
        runnable = chatbot(settings, animals, Slow(responses=["Fish swim."])).as_runnable()
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
        asyncio.run(pieces_of(chatbot(settings, animals, answering()).as_runnable().astream(" ")))


@pytest.mark.slow
def test_the_retriever_finds_what_was_published_before_any_question(settings: Settings, animals: Index) -> None:
    bot = chatbot(settings, animals, answering())
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


# Answers from memory


def timeless(events: Iterator[Event]) -> list[Event]:
    return [replace(one, timings=None) if isinstance(one, Answer) else one for one in events]  # type: ignore[arg-type]


def test_the_same_question_is_answered_from_memory(settings: Settings, animals: Index) -> None:
    model = answering("Fish swim in the pond.", "No.")
    bot = chatbot(settings, animals, model)
    hits, evidence, *pieces, answer = timeless(bot.stream(FISH))
    prompts = list(model.prompts)
    assert timeless(bot.stream(FISH)) == [hits, evidence, "".join(map(str, pieces)), answer]
    again = bot.ask(f" {FISH} ")
    assert model.prompts == prompts and again.timings.first_token is not None
    for other in ((FISH, [("Who is Rex?", "A dog.")]), (FISH, (), list(animals.documents)[2:]), (f"{FISH}?",)):
        before = len(model.prompts)
        bot.ask(*other)
        assert len(model.prompts) == before + 1


def test_of_a_history_only_what_the_question_can_lean_on_is_remembered(settings: Settings, animals: Index) -> None:
    model = answering("Fish swim in the pond.")
    bot = chatbot(settings, animals, model)
    turn = ("Who is Rex?", "The dog is called Rex.")
    bot.ask(FISH, [turn])
    bot.ask(FISH, [("x" * 20_000, "y" * 20_000), turn])
    bot.ask(FISH, [("Who is Rex?", "The dog is called Rex. " + "He eats. " * 2_000)])
    assert len(model.prompts) == 1
    assert sum(len(repr(key)) for key in bot._answers) < 1_000


def test_an_abstention_is_remembered_without_a_piece(settings: Settings, animals: Index) -> None:
    model = answering("Fish swim in the pond.")
    bot = chatbot(settings.model_copy(update={"abstain_below": 1.0}), animals, model)
    *_, answer = timeless(bot.stream(FISH))
    assert isinstance(answer, Answer) and answer.abstained
    assert [type(event) for event in bot.stream(FISH)] == [list, Evidence, Answer]
    assert timeless(bot.stream(FISH))[-1] == answer and len(model.prompts) == 1


def test_after_a_publication_the_same_question_is_answered_anew(settings: Settings, animals: Index) -> None:
    model = answering("Fish swim in the pond.", "Fish swim in the lake.")
    bot = chatbot(settings, animals, model)
    assert bot.ask(FISH).text == bot.ask(FISH).text == "Fish swim in the pond."
    write(settings.data, {"new.txt": "Fish swim in the lake."})
    publish(settings.index, settings.data)
    assert bot.ask(FISH).text == bot.ask(FISH).text == "Fish swim in the lake."
    assert len(model.prompts) == 2


@pytest.mark.parametrize("written", ["There are 12 fish. Fish swim in the", "Rex", " "])
def test_an_answer_that_broke_off_is_not_remembered(settings: Settings, animals: Index, written: str) -> None:
    model = ending(written)
    bot = chatbot(settings, animals, model)
    for times in (1, 2):
        bot.ask(FISH)
        assert len(model.prompts) == times


def test_the_answers_given_last_are_remembered(
    settings: Settings, animals: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat, "_REMEMBERED", 1)
    model = answering("Fish swim in the pond.")
    bot = chatbot(settings, animals, model)
    for question, answered in ((FISH, 1), (FISH, 1), ("Which fish swim?", 2), (FISH, 3)):
        bot.ask(question)
        assert len(model.prompts) == answered


def test_what_the_model_could_not_answer_is_not_remembered(settings: Settings, animals: Index) -> None:
    class Failing(ScriptedModel):
        def _stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
            if not self.prompts:
                self.prompts.append("failed")
                raise ConnectionError
            yield from super()._stream(*args, **kwargs)

    bot = chatbot(settings, animals, Failing(responses=["Fish swim in the pond."]))
    with pytest.raises(ModelError):
        bot.ask(FISH)
    assert bot.ask(FISH).text == "Fish swim in the pond."


# Reading ahead


class Engine(ScriptedModel):
    """Says in `log` when it reads ahead and when it answers; reading ends when the test lets it."""

    log: list[str] = Field(default_factory=list)
    begun: Any = Field(default_factory=threading.Event)
    go_on: Any = Field(default_factory=threading.Event)

    def _call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
        if kwargs.get("max_tokens") != 1:
            return super()._call(messages, *args, **kwargs)
        self.log.append("reads")
        self.begun.set()
        assert self.go_on.wait(WAIT)
        self.log.append("has read")
        return super()._call(messages, *args, **kwargs)

    def _stream(self, messages: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        self.log.append("answers")
        yield from super()._stream(messages, *args, **kwargs)


@pytest.fixture
def engine() -> Engine:
    return Engine(responses=["Fish swim in the pond."])


@pytest.fixture
def embedded(settings: Settings, animals: Index, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Chatbot:
    """A chatbot whose engine is inside this process, as it were."""
    return opened(settings, engine, monkeypatch)


def opened(settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Chatbot:
    monkeypatch.setattr(chat, "open_model", lambda *_: nullcontext(engine))
    return Chatbot.open(settings, embedder=TopicEmbedder(), reranker=TopicReranker(), **options)


def test_what_is_read_ahead_is_what_the_answer_begins_with(embedded: Chatbot, engine: Engine) -> None:
    engine.go_on.set()
    assert embedded.reads_ahead
    for _ in range(2):
        assert engine.prompts == []  # Only what two drafts would have read is read.
        embedded.read_ahead(FISH, [("Who is Rex?", "A dog.")], list(embedded.documents)[1:])
    (read,) = engine.prompts
    assert (
        embedded.ask(FISH, [("Who is Rex?", "A dog.")], list(embedded.documents)[1:]).text == "Fish swim in the pond."
    )
    assert engine.prompts == [read, read] and engine.log == ["reads", "has read", "answers"]


def test_a_question_waits_for_what_is_being_read_ahead(embedded: Chatbot, engine: Engine) -> None:
    waiting = threading.Event()

    class Lock:
        """Tells that somebody is about to wait for the engine."""

        def __enter__(self) -> None:
            waiting.set()
            lock.acquire()

        def __exit__(self, *_: object) -> None:
            lock.release()

        def acquire(self, blocking: bool) -> bool:
            return lock.acquire(blocking)

        def release(self) -> None:
            lock.release()

    lock = embedded._engine
    embedded.read_ahead(FISH)
    embedded._engine = Lock()  # type: ignore[assignment]
    with ThreadPoolExecutor(2) as side:
        reading = side.submit(embedded.read_ahead, FISH)
        assert engine.begun.wait(WAIT)
        embedded.read_ahead("Which dog eats?")  # Does nothing beside the other, and does not wait for it.
        asking = side.submit(embedded.ask, FISH)
        assert waiting.wait(WAIT)
        assert engine.log == ["reads"]
        engine.go_on.set()
        assert asking.result(WAIT).text == "Fish swim in the pond."
        reading.result(WAIT)
    assert engine.log == ["reads", "has read", "answers"]


def test_nothing_is_read_ahead_while_a_question_is_answered(
    embedded: Chatbot, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.go_on.set()
    stream = embedded.stream(FISH)
    assert [next(stream) for _ in range(3)][2] == "F"
    with monkeypatch.context() as patched:
        patched.setattr(embedded._finder, "find", None)  # Nothing is even looked for.
        embedded.read_ahead("Which dog eats?")
    assert engine.log == ["answers"]
    stream.close()
    embedded.read_ahead("Which dog eats?")
    embedded.read_ahead("Which dog eats?")
    assert engine.log == ["answers", "reads", "has read"]


def test_a_question_that_comes_while_passages_are_looked_for_is_read_first(
    embedded: Chatbot, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.go_on.set()
    find = embedded._finder.find

    def asked_meanwhile(*args: Any) -> Any:
        embedded._asked += 1
        return find(*args)

    embedded.read_ahead(FISH)
    monkeypatch.setattr(embedded._finder, "find", asked_meanwhile)
    embedded.read_ahead(FISH)
    assert engine.log == []


def test_a_question_is_written_for_a_sentence_that_then_answers_it(embedded: Chatbot, engine: Engine) -> None:
    quoted = next(one for one in embedded.key_sentences(count=9) if one.quote == "Fish swim in the pond.")
    engine.responses = ["Where  do fish swim?\n", "Where do cats swim in the pond?", "Fish swim in the pond.", ""]
    assert [embedded.question_for(quoted) for _ in range(4)] == ["Where do fish swim?", "", "", ""]
    assert all(quoted.quote in prompt for prompt in engine.prompts) and engine.log == []
    stream = embedded.stream(FISH)
    assert [next(stream) for _ in range(3)][2] == "W"
    assert embedded.question_for(quoted) is None, "a question is being answered"
    stream.close()
    embedded._reads_ahead = False
    assert embedded.question_for(quoted) == ""


@pytest.mark.parametrize(
    "options", [{"read_ahead": False}, {"base_url": "http://127.0.0.1:1/v1"}, {"model": "openai:x"}]
)
def test_where_it_is_switched_off_or_the_model_is_elsewhere_nothing_is_read_ahead(
    settings: Settings, animals: Index, engine: Engine, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    bot = opened(settings.model_copy(update=options), engine, monkeypatch)
    bot.read_ahead(FISH)
    assert not bot.reads_ahead and engine.log == []


def test_with_a_model_of_the_callers_nothing_is_read_ahead(
    settings: Settings, animals: Index, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = opened(settings, engine, monkeypatch, model=engine)
    bot.read_ahead(FISH)
    assert not bot.reads_ahead and engine.log == []


def test_a_draft_that_cannot_be_asked_leaves_the_engine_free(embedded: Chatbot, engine: Engine) -> None:
    engine.go_on.set()
    with pytest.raises(QuestionError):
        embedded.read_ahead(" ")
    embedded.read_ahead(FISH)
    embedded.read_ahead(FISH)
    assert embedded.ask(FISH).text == "Fish swim in the pond."
    assert engine.log == ["reads", "has read", "answers"]
