"""`python -m rag.index.leftovers PATH`: remove what a Chroma server keeps of collections that were dropped.

Chroma 1.5 forgets a collection, but its search graph stays on the disk. The server may run meanwhile; the room is
free when it is started again.
"""

import argparse
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

_DATABASE = "chroma.sqlite3"


def leftovers(place: Path) -> list[Path]:
    """The folders of search graphs that belong to no collection. Raises OSError, sqlite3.Error."""
    # A collection is in the database before it has a folder, so what is listed first and not there is left over.
    folders = [path for path in place.iterdir() if path.is_dir() and _is_graph(path.name)]
    address = f"file:{quote(str((place / _DATABASE).resolve()))}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as database:
        held = {name for (name,) in database.execute("SELECT id FROM segments")}
    return [path for path in folders if path.name not in held]


def _is_graph(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False


def main() -> int:
    """Remove them and say how many there were; the exit code is 0 or 1."""
    parser = argparse.ArgumentParser(prog="python -m rag.index.leftovers", description=__doc__)
    parser.add_argument("path", type=Path, help="the --path of `chroma run`")
    place = parser.parse_args().path
    try:
        found = leftovers(place)
        for path in found:
            shutil.rmtree(path)
    except (OSError, sqlite3.Error) as error:
        print(f"{str(place)!r} is not the folder of a Chroma server, or cannot be changed ({error}).", file=sys.stderr)
        return 1
    print(f"Removed {len(found)} search graphs of collections that are gone.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
