"""`python -m eval`: ask the chatbot every question of a set and print how well it answered."""

import sys
from collections.abc import Sequence
from importlib import import_module

from eval.options import parse
from rag.errors import RagError, with_detail

EXTRA = {"gguf", "jinja2", "langchain_chroma", "langchain_text_splitters", "matplotlib", "sklearn"}
"""What the extra "eval" brings; only the commands that need it import it."""


def main(argv: Sequence[str] | None = None) -> int:
    """The entry point; returns the exit code."""
    options = parse(sys.argv[1:] if argv is None else argv)
    command = f"python -m eval {options.command}"
    try:
        module = import_module(f"eval.{options.command.replace('-', '_')}")
        if getattr(options, "baseline", False) or getattr(options, "peer", False):
            command = "python -m eval --baseline" if options.command != "bench" else "python -m eval bench --peer"
            import_module("eval.baseline")  # Now, and not when all questions are answered.
        return int(module.main(options))
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        print(
            f'The command "{command}" needs the extra "eval"; run: pip install -c constraints.txt -e ".[local,eval]"',
            file=sys.stderr,
        )
        return 1
    except RagError as error:
        print(with_detail(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; nothing was written.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
