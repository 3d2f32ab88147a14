"""What the index holds and whether it is sound, as lines for a person."""

from pathlib import Path

from rag.errors import DamagedError, NoIndexError
from rag.index.corpus import listed
from rag.index.index import EMBEDDINGS
from rag.index.lock import one_writer, unwritable, writer
from rag.index.manifest import Manifest, read_manifest
from rag.index.snapshot import REPAIR, current_name, others, roll_back, snapshots, soundest
from rag.index.verify import verify_apart


def status_lines(folder: Path) -> tuple[list[str], bool]:
    """What there is, when and of what it was made, its size and health; and whether the current index is sound.

    Raises NoIndexError where there is none, DamagedError where nothing is sound.
    """
    sound = soundest(folder)
    manifest = sound.manifest
    back = sum(path.name != sound.path.name for path, _ in others(folder))
    size = sum(size for size, _ in manifest.files.values())
    cached = (folder / EMBEDDINGS).stat().st_size if (folder / EMBEDDINGS).exists() else 0
    facts = {
        "Snapshot": sound.path.name + (f" (and {back} to go back to)" if back else ""),
        "Published": manifest.created,
        "Made of": ", ".join(manifest.corpus.paths),
        "Kept out": ", ".join(manifest.corpus.removed),
        "Documents": f"{manifest.documents:,}",
        "Passages": f"{manifest.passages:,} of about {manifest.passage_words} words",
        "Embedder": manifest.embedder,
        "Size": f"{size / 1e6:,.1f} MB, and {cached / 1e6:,.1f} MB of cached vectors",
        "Health": sound.notice or "sound",
        "Written by": writer(folder) or "nobody now",
    }
    return [f"{name:<11} {one_line(fact)}" for name, fact in facts.items() if fact], sound.notice is None


def check(folder: Path) -> str:
    """Check every file, passage and vector of the current snapshot. Raises DamagedError with all that is wrong."""
    if not (found := snapshots(folder)):
        raise NoIndexError(f"There is no index in {str(folder)!r}; build it with: python ingest.py")
    wrong = [] if current_name(folder) == found[0].name else ["CURRENT does not name a snapshot"]
    if wrong := wrong + verify_apart(found[0], full=True):
        raise DamagedError(f"The index {found[0].name} is damaged ({'; '.join(wrong)}); {REPAIR}")
    return f"The index {found[0].name} is sound: {counted(read_manifest(found[0]))}."


def list_lines(folder: Path) -> list[str]:
    """The documents: source, title, number of passages, divided by tabs. Raises StoreError."""
    return [
        "\t".join([one_line(one.source), one_line(one.title), _count(one.passages, "passage")])
        for one in listed(folder)
    ]


def go_back(folder: Path) -> str:
    """Make the snapshot before the current one the current one. Raises StoreError."""
    if not snapshots(folder):
        raise NoIndexError(f"There is no index in {str(folder)!r}; build it with: python ingest.py")
    with one_writer(folder):
        try:
            manifest = roll_back(folder)
        except OSError as error:
            raise unwritable(folder, error) from error
    return f"The index is the one of {manifest.created} again: {counted(manifest)}."


def counted(manifest: Manifest) -> str:
    """How many documents and passages there are, in words."""
    return f"{_count(manifest.documents, 'document')}, {_count(manifest.passages, 'passage')}"


def one_line(text: str) -> str:
    """`text` on one line, whatever a file's name holds."""
    return " ".join(text.split())


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
