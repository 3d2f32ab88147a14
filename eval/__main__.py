"""`python -m eval`: ask the chatbot every question of a set and print how well it answered."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from eval.options import RUN, parse
from rag.errors import RagError, whole

_MODULES = {RUN: "measure"}
"""A command's module has its name, but for the run itself; it is imported only when it is asked for."""


def main(argv: Sequence[str] | None = None) -> int:
    """The entry point; returns the exit code."""
    options = parse(sys.argv[1:] if argv is None else argv)
    module = import_module(f"eval.{_MODULES.get(options.command, options.command)}")
    command: Callable[[argparse.Namespace], int] = module.main
    try:
        return command(options)
    except RagError as error:
        print(whole(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; nothing was written.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
