"""Text and Markdown files, or folders of them, into a published index."""

import argparse
import hashlib
import sys
import time
from pathlib import Path

from tqdm import tqdm

from rag.embed import embedder_name, make_embedder
from rag.errors import DocumentError, RagError
from rag.index import FORMAT, Manifest, build, read_manifest
from rag.load import find_files, load
from rag.settings import Settings, read_settings
from rag.types import Document


def main(argv: list[str] | None = None) -> int:
    """Run `python ingest.py`; the exit code is 0, or 1 after one sentence on standard error."""
    parser = argparse.ArgumentParser(prog="python ingest.py", description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path, help="files or folders (default: RAG_DATA, data/)")
    parser.add_argument("--rebuild", action="store_true", help="build anew even when nothing has changed")
    arguments = parser.parse_args(argv)
    try:
        settings = read_settings()
        return ingest(settings, arguments.paths or [settings.data], arguments.rebuild)
    except RagError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; the index is as it was.", file=sys.stderr)
        return 130


def ingest(settings: Settings, paths: list[Path], rebuild: bool = False) -> int:
    """Build and publish the index of `paths`; says what it did, returns the exit code.

    The exit code is 1 when a document had to be skipped. Raises RagError when
    nothing could be indexed.
    """
    began = time.perf_counter()
    documents, skipped = _load_all(find_files(paths))
    for item in skipped:
        print(f"Skipped: {item}", file=sys.stderr)
    if not documents:
        raise DocumentError("No document could be read, so the index was not changed; see the reasons above.")
    name = embedder_name(settings)
    key = _key(documents, name, settings.chunk_words)
    manifest = None if rebuild else read_manifest(settings.index)
    if manifest is not None and manifest.key == key:
        print(f"Nothing has changed: {_summary(manifest, len(skipped), began)}")
        return 1 if skipped else 0
    embedder = make_embedder(settings)
    with tqdm(desc="Embedding", unit=" passages", leave=False) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        manifest = build(settings.index, documents, embedder, name, key, settings.chunk_words, progress)
    print(f"Indexed {_summary(manifest, len(skipped), began)}")
    return 1 if skipped else 0


def _summary(manifest: Manifest, skipped: int, began: float) -> str:
    documents = "1 document" if manifest.documents == 1 else f"{manifest.documents:,} documents"
    passages = "1 passage" if manifest.chunks == 1 else f"{manifest.chunks:,} passages"
    return f"{documents}, {passages}, {skipped} skipped, {time.perf_counter() - began:.1f} s."


def _load_all(files: list[Path]) -> tuple[list[Document], list[str]]:
    documents, skipped = [], []
    for file in files:
        try:
            documents.append(load(file))
        except DocumentError as error:
            skipped.append(str(error))
    return documents, skipped


def _key(documents: list[Document], embedder_name: str, chunk_words: int) -> str:
    digest = hashlib.sha256(repr((FORMAT, embedder_name, chunk_words)).encode())
    for document in documents:
        digest.update(hashlib.sha256(document.text.encode("utf-8")).digest())
        digest.update(repr((document.doc_id, document.title)).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
