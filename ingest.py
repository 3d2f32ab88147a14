"""Documents, folders of them and web addresses into a published index; without a path, what was named last."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rag.embed import embedder_name, make_embedder
from rag.errors import DamagedError, DocumentError, NoIndexError, RagError
from rag.generation import Corpus, Manifest, generations, read_manifest, roll_back, soundest
from rag.index import EMBEDDINGS, PASSAGES
from rag.load import Loader
from rag.lock import one_writer, writer
from rag.passages import Listed, Passages
from rag.progress import terminal_progress
from rag.settings import Settings, read_settings
from rag.update import Maker, update
from rag.verify import verify_apart


def main(argv: Sequence[str] | None = None) -> int:
    """Run `python ingest.py`; the exit code is 0, or 1 after one sentence on standard error."""
    arguments = _parser().parse_args(argv)
    try:
        settings = read_settings(**({"online": True} if arguments.online else {}))
        if arguments.status:
            return status(settings)
        if arguments.check:
            return check(settings)
        if arguments.list:
            return show_list(settings)
        if arguments.rollback:
            return rollback(settings)
        return ingest(settings, _corpus(settings, arguments), arguments.rebuild)
    except RagError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; the index is as it was, and what was embedded is kept for the next run.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python ingest.py", description=__doc__)
    parser.add_argument("paths", nargs="*", help="files, folders and web addresses: the index holds exactly these")
    parser.add_argument("--add", nargs="+", metavar="PATH", default=[], help="take these in beside what there is")
    parser.add_argument(
        "--remove", nargs="+", metavar="SOURCE", default=[], help="take these out, as --list names them"
    )
    parser.add_argument("--include", action="append", metavar="PATTERN", help="take only this from folders")
    parser.add_argument("--exclude", action="append", metavar="PATTERN", help="leave this out, as in .gitignore")
    parser.add_argument("--online", action="store_true", help="allow fetching web addresses")
    parser.add_argument("--rebuild", action="store_true", help="read every document anew")
    doing = parser.add_mutually_exclusive_group()
    doing.add_argument("--status", action="store_true", help="say what the index holds and whether it is sound")
    doing.add_argument("--check", action="store_true", help="check all of the index")
    doing.add_argument("--list", action="store_true", help="list the documents")
    doing.add_argument("--rollback", action="store_true", help="go back to the index before this one")
    return parser


def ingest(settings: Settings, corpus: Corpus, rebuild: bool = False) -> int:
    """Bring the index to what `corpus` holds now; says what it did, returns the exit code.

    The exit code is 1 when a document had to be skipped. Raises RagError when nothing
    could be indexed.
    """
    began = time.perf_counter()
    maker = Maker(settings.chunk_words, embedder_name(settings), lambda: make_embedder(settings))
    with Loader(settings.online) as loader, terminal_progress("") as progress:
        outcome = update(settings.index, corpus, maker, loader, rebuild=rebuild, progress=progress)
    for problem in outcome.problems:
        print(f"Skipped: {problem}", file=sys.stderr)
    counts = f"{_size(outcome.manifest)}, {len(outcome.problems)} skipped, {time.perf_counter() - began:.1f} s."
    print(f"Indexed {counts}" if outcome.changed else f"Nothing has changed: {counts}")
    return 1 if outcome.problems else 0


def _corpus(settings: Settings, arguments: argparse.Namespace) -> Corpus:
    """What the index is to be made of, by the arguments, the last time and the settings."""
    last = _last_corpus(settings.index)
    paths = [*arguments.paths] or ([*last.paths] if last.named else [_data(settings)])
    paths = list(dict.fromkeys([*paths, *arguments.add]))
    removed = [source for source in last.removed if source not in paths]
    known = {one.source for one in _listed(settings.index)} if arguments.remove else set()
    for source in arguments.remove:
        if source not in known:
            raise DocumentError(f"There is no document {source!r} in the index; see the names with --list.")
    kept = arguments.include is None and arguments.exclude is None and last.named and not arguments.paths
    return Corpus(
        paths=tuple(path for path in paths if path not in arguments.remove),
        include=last.include if kept else tuple(arguments.include or _patterns(settings.include)),
        exclude=last.exclude if kept else tuple(arguments.exclude or _patterns(settings.exclude)),
        removed=tuple(dict.fromkeys([*removed, *arguments.remove])),
        named=last.named or bool(arguments.paths or arguments.add),
    )


def _data(settings: Settings) -> str:
    return settings.data.as_posix()


def _patterns(setting: str) -> list[str]:
    return [pattern.strip() for pattern in setting.split(",") if pattern.strip()]


def _last_corpus(folder: Path) -> Corpus:
    """What the index was made of, also where it is damaged, as long as a manifest can be read."""
    for generation in generations(folder):
        try:
            return read_manifest(generation).corpus
        except DamagedError:
            continue
    return Corpus()


def status(settings: Settings) -> int:
    """Say what the index holds, how large it is and whether it is sound; the exit code is 1 when it is not."""
    folder = settings.index
    found = generations(folder)
    if not found:
        raise NoIndexError(f"There is no index in {str(folder)!r}; build it with: python ingest.py")
    writing = writer(folder)
    sound = soundest(folder)
    manifest = sound.manifest
    held = _bytes(sum(size for size, _ in manifest.files.values()))
    cached = _bytes((folder / EMBEDDINGS).stat().st_size if (folder / EMBEDDINGS).exists() else 0)
    other = f" (and {len(found) - 1} to go back to)" if len(found) > 1 else ""
    for name, value in {
        "Generation": f"{sound.path.name}{other}",
        "Published": manifest.created,
        "Made of": ", ".join(manifest.corpus.paths),
        "Documents": f"{manifest.documents:,}",
        "Passages": f"{manifest.chunks:,} of about {manifest.chunk_words} words",
        "Embedder": manifest.embedder,
        "Size": f"{held}, and {cached} of cached vectors",
        "Health": sound.notice or "sound",
        "Written by": writing or "nobody now",
    }.items():
        print(f"{name:<11} {value}")
    return 1 if sound.notice else 0


def check(settings: Settings) -> int:
    """Check every file, passage and vector of the current generation; the exit code is 1 when something is wrong."""
    if not (found := generations(settings.index)):
        raise NoIndexError(f"There is no index in {str(settings.index)!r}; build it with: python ingest.py")
    if wrong := verify_apart(found[0], full=True):
        raise DamagedError(
            f"The index {found[0].name} is damaged ({'; '.join(wrong)}); repair it with: python ingest.py"
        )
    print(f"The index {found[0].name} is sound: {_size(read_manifest(found[0]))}.")
    return 0


def show_list(settings: Settings) -> int:
    """List the documents: the source, its title, its passages."""
    for one in _listed(settings.index):
        print(f"{one.source}\t{one.title}\t{_count(one.passages, 'passage')}")
    return 0


def rollback(settings: Settings) -> int:
    """Make the generation before the current one the current one."""
    with one_writer(settings.index):
        manifest = roll_back(settings.index)
    print(f"The index is the one of {manifest.created} again: {_size(manifest)}.")
    return 0


def _listed(folder: Path) -> list[Listed]:
    return Passages.read(soundest(folder).path / PASSAGES).listed()


def _size(manifest: Manifest) -> str:
    return f"{_count(manifest.documents, 'document')}, {_count(manifest.chunks, 'passage')}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _bytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


if __name__ == "__main__":
    sys.exit(main())
