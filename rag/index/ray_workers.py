"""A Ray cluster, or one that is started here: rows are spread over its workers."""

import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

from rag.errors import RagError, SettingsError, StoreError

if TYPE_CHECKING:
    from pyarrow import Table

LOCAL = "local"
"""The address that stands for a cluster of this machine alone, which lasts as long as it is used."""
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DATA_LOG_LEVEL": "ERROR", "RAY_BACKEND_LOG_LEVEL": "fatal"}
"""Ray reports nothing to its makers, and leaves the terminal to the progress. It can be told only in this way."""
_BLOCKS_EACH, _BLOCK_ROWS, _MOST_BLOCKS = 16, 8, 1000
"""Rows are divided into so many tasks for each worker, or into more of so many rows, at most so many: a task costs Ray
ten milliseconds, and few large ones would leave workers idle at the end."""
_PATIENCE = 5
"""Seconds to wait for a cluster to answer."""
_BLOCK_BYTES = 8_000_000
"""About as much of a worker's results comes at once."""


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Have `spread` use the cluster at `address`, such as "10.0.0.5:6379", or LOCAL.

    Raises SettingsError if Ray is not installed or no cluster answers there.
    """
    with ExitStack() as stack:
        stack.enter_context(_environment(_QUIET))
        try:
            import ray
            import ray.data
        except ImportError as error:
            raise SettingsError(
                f"--ray needs the package {error.name!r}, which is not installed; "
                'run: pip install -c constraints.txt -e ".[cluster]"'
            ) from error
        local: dict[str, Any] = {}
        if address == LOCAL:
            folder = tempfile.mkdtemp(prefix="rag-ray-")
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            local = {"include_dashboard": False, "_node_ip_address": "127.0.0.1", "_temp_dir": folder}
        stack.callback(ray.shutdown)
        stack.enter_context(redirect_stdout(StringIO()))  # Ray prints there what became of its workers.
        try:
            _reach(address)
            with _silenced():
                ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **local)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
            raise SettingsError(
                f"No Ray cluster answers at {address!r} ({reason}); "
                "start one with: ray start --head (or leave the address out, to use this machine alone)."
            ) from error
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = context.print_on_execution_start = False
        context.execution_options.preserve_order = True
        context.target_max_block_size = _BLOCK_BYTES
        yield


def spread(rows: Sequence[Mapping[str, object]], worker: type, *arguments: object) -> Iterator["Table"]:
    """What `worker(*arguments)` makes of the rows, in their order, as it comes.

    A worker is called with tables of some rows and yields tables. One is made for each processor of the cluster. If
    it is lost, another does its rows again. Raises ModelError and the like from a worker, StoreError if Ray fails.
    """
    import ray
    from ray.data import ActorPoolStrategy, from_items
    from ray.exceptions import RayError

    resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
    size = max(1, min(len(rows), int(resources.get("CPU", 1))))
    blocks = min(len(rows), max(_BLOCKS_EACH * size, len(rows) // _BLOCK_ROWS), _MOST_BLOCKS)
    made = from_items(list(rows), override_num_blocks=blocks).map_batches(
        worker,
        batch_size=None,
        batch_format="pyarrow",
        compute=ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=2),
        num_cpus=1,
        fn_constructor_args=arguments,
    )
    try:
        yield from made.iter_batches(batch_size=None, batch_format="pyarrow")
    except RayError as error:
        cause: BaseException | None = error
        while cause and not isinstance(cause, RagError):
            cause = getattr(cause, "cause", None) or cause.__cause__
        if cause:
            raise cause from error
        reason = ([line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__])[-1]
        raise StoreError(
            f"The Ray cluster did not do its work ({reason.rstrip('.')}); "
            "see its logs and run the same again: what was done is kept."
        ) from error


def _reach(address: str) -> None:
    """Raises OSError if nothing answers, for which Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    if host:
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep from the terminal what Ray's compiled code says when it starts."""
    terminal = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """These variables, for as long as it lasts."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
