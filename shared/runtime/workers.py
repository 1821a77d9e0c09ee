"""Runs several processes of one service on the same ports: starts them together, replaces lost ones, stops all."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from prometheus_client.multiprocess import mark_process_dead

from shared.runtime.connection_shares import ConnectionShare, SharedCounts
from shared.runtime.logging import get_logger
from shared.runtime.retry_policies import LOST_WORKER

_log = get_logger(__name__)

# Read by the library of metrics when they are made: each process writes its own into this folder and reports all.
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
END_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class SharedSockets:
    """The file descriptors that a worker inherits from its parent process.

    ``http`` and ``tls`` are bound, and shared with the other workers. ``alive`` is the end of a pipe that closes when
    the parent process has ended. ``counts`` is the memory with the number of connections of each worker; ``number`` is
    the place of this worker in it.
    """

    http: int
    tls: int | None
    alive: int
    counts: int
    number: int

    @classmethod
    def read(cls, text: str) -> SharedSockets:
        """Return the sockets that :meth:`text` has written.

        :raises ValueError: the text has another form.
        """
        http, tls, *others = text.split(",")
        return cls(int(http), int(tls) if tls else None, *map(int, others))

    def text(self) -> str:
        """Return the descriptors as an argument of a command line."""
        tls = "" if self.tls is None else self.tls
        return f"{self.http},{tls},{self.alive},{self.counts},{self.number}"

    @property
    def passed(self) -> tuple[int, ...]:
        """Return the descriptors that a worker inherits."""
        every = (self.http, self.tls, self.alive, self.counts)
        return tuple(each for each in every if each is not None)

    def share(self) -> ConnectionShare:
        """Return the connections of this worker beside those of the others."""
        return ConnectionShare(SharedCounts(self.counts), self.number)

    def end_with_parent(self) -> None:
        """Stop this process as by SIGTERM once its parent process has ended."""
        watch = threading.Thread(target=self._wait_for_parent, daemon=True)
        watch.start()

    def _wait_for_parent(self) -> None:
        # Nothing is ever written: the read returns when nobody is left who could.
        os.read(self.alive, 1)
        os.kill(os.getpid(), signal.SIGTERM)


def run_workers(
    command: Sequence[str],
    count: int,
    host: str,
    ports: Sequence[int],
) -> int:
    """Run ``count`` processes of a command on one or two ports until a signal, and return the exit status.

    ``{sockets}`` in the command is replaced by :meth:`SharedSockets.text`; the second port is that of TLS. A worker
    that is killed is replaced. A worker that exits by itself could not start, nor could others: all end with its
    status.

    :raises OSError: an address is in use.
    """
    with contextlib.ExitStack() as stack:
        bound = [stack.enter_context(_bound(host, port)) for port in ports]
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="metrics-"))
        environment = {**os.environ, METRICS_FOLDER: folder}
        alive, kept = os.pipe()
        stack.callback(os.close, kept)
        stack.callback(os.close, alive)
        descriptors = [each.fileno() for each in bound]
        tls = descriptors[1] if len(descriptors) > 1 else None
        counts = stack.enter_context(SharedCounts.made(count))
        shared = SharedSockets(descriptors[0], tls, alive, counts.descriptor, 0)
        workers = _Workers(command, shared, environment, folder)
        return asyncio.run(workers.run(count, bound))


@contextlib.contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a bound socket; it listens once the first worker is ready."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = found[0]
    with socket.socket(family, kind, protocol) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        yield made


class _Workers:
    """The workers of one process; a lost worker is replaced, until all stop."""

    def __init__(
        self,
        command: Sequence[str],
        shared: SharedSockets,
        environment: Mapping[str, str],
        metrics_folder: str,
    ) -> None:
        self._command = command
        self._shared = shared
        self._environment = environment
        self._metrics_folder = metrics_folder
        self._running: set[asyncio.subprocess.Process] = set()
        self._ending = asyncio.Event()

    async def run(self, count: int, bound: Sequence[socket.socket]) -> int:
        """Start the workers and wait for their end.

        Return 0 after a signal, else the status of the first that ended.
        """
        loop = asyncio.get_running_loop()
        for number in END_SIGNALS:
            loop.add_signal_handler(number, self._end)
        kept = [self._keep(number) for number in range(count)]
        statuses = await asyncio.gather(*kept)
        for each in bound:
            each.close()
        return next((status for status in statuses if status), 0)

    def _end(self) -> None:
        """Have all workers stop."""
        self._ending.set()
        for process in self._running:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()

    async def _keep(self, number: int) -> int:
        """Run one worker, and replace it whenever it is lost; return the status of the last one."""
        pauses = LOST_WORKER.pauses()
        status = 0
        while not self._ending.is_set():
            status = await self._worker(number)
            if self._ending.is_set():
                break
            if status >= 0:
                _log.critical("worker.ended", worker=number + 1, status=status)
                self._end()
                break
            _log.error("worker.lost", worker=number + 1, signal=-status)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), next(pauses))
        # Who was asked to end and is ended by it has done what it should.
        if status == -signal.SIGTERM:
            return 0
        return abs(status)

    async def _worker(self, number: int) -> int:
        """Run one worker to its end; return its status, negative for a signal."""
        sockets = replace(self._shared, number=number).text()
        process = await asyncio.create_subprocess_exec(
            *(part.format(sockets=sockets) for part in self._command),
            pass_fds=self._shared.passed,
            env=self._environment,
        )
        self._running.add(process)
        _log.info("worker.started", worker=number + 1, process=process.pid)
        # The signal may have come while it was begun.
        if self._ending.is_set():
            process.terminate()
        status = await process.wait()
        self._running.discard(process)
        # The others no longer leave connections to it.
        SharedCounts(self._shared.counts).forget(number)
        # What it has counted stays; what it was measuring is over.
        mark_process_dead(process.pid, self._metrics_folder)  # type: ignore[no-untyped-call]
        return status
