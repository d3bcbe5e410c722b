"""The server's handle of one worker process: start it, talk to it, notice when it dies or hangs, end it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass, field

import msgspec
import structlog

from slimvoice.backends.registry import BACKENDS
from slimvoice.engine import messages
from slimvoice.engine.health import Cause, Exit, Limits, diagnose, oom_kills
from slimvoice.engine.messages import (
    AUDIO_PART_BYTES,
    LENGTH,
    MAX_FRAME_BYTES,
    AudioPart,
    Cancel,
    Event,
    FromWorker,
    JobDone,
    Load,
    Loaded,
    LoadFailed,
    Ping,
    Pong,
    Shutdown,
    StartSynthesis,
    StartTranscription,
    StepDone,
    StepStarted,
    ToWorker,
)
from slimvoice.errors import DeviceBroken, ModelLoad, SlimvoiceError, WorkerCrashed, WorkerWedged
from slimvoice.speech import LoadSpec, SynthesizeRequest, TranscribeRequest

log = structlog.get_logger(__name__)

WORKER_ENV = {
    "HF_HUB_OFFLINE": "1",  # a worker never downloads
    "MALLOC_ARENA_MAX": "2",  # glibc keeps an arena per thread otherwise, and gives none back
    "PYTHONUNBUFFERED": "1",
}
STDERR_LINES = 50
EXIT_GRACE_S = 3.0

Request = TranscribeRequest | SynthesizeRequest


@dataclass(eq=False)
class RunningJob:
    """One job in a worker, as the server sees it."""

    number: int
    step_limit_s: float
    on_step: Callable[[float], None]
    inbox: asyncio.Queue[Event | JobDone | SlimvoiceError] = field(default_factory=asyncio.Queue)
    deadline: asyncio.TimerHandle | None = None

    def step_ended(self) -> None:
        """Stop the clock of the present step."""
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None


class WorkerProcess:
    """One worker process. `gone` is set once it has ended, `exit` then tells how."""

    def __init__(self, spec: LoadSpec, limits: Limits) -> None:
        self.spec = spec
        self.limits = limits
        self.gone = asyncio.Event()
        self.exit: Exit | None = None
        self.stderr: deque[str] = deque(maxlen=STDERR_LINES)
        self._jobs: dict[int, RunningJob] = {}
        self._numbers = 0
        self._loaded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._failing: tuple[Cause, str] | None = None
        self._stopping = False
        self._oom_kills = oom_kills()
        self._pong = asyncio.Event()
        self._pinging: asyncio.Task[None] | None = None
        self._sending = asyncio.Lock()

    # --- life ---

    async def start(self) -> None:
        """Start the process and wait until the model is loaded; raises ModelLoad or WorkerCrashed."""
        ours, theirs = socket.socketpair()
        name = self.spec.installed.model.name
        environment = {**os.environ, **WORKER_ENV, **BACKENDS[self.spec.installed.model.backend].env}
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "slimvoice.engine.worker_main", str(theirs.fileno()), name,
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env=environment,
            )  # fmt: skip
        ours.setblocking(False)
        reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        self._spawn(self._watch(reader, self._process))
        self._spawn(self._keep_stderr(self._process.stderr))
        with contextlib.suppress(OSError):  # it may be dead already, which is noticed where it is watched
            await self._send(Load(self.spec))
        self._watch_pings()
        try:
            async with asyncio.timeout(self.limits.load_s):
                await asyncio.shield(self._loaded)
        except TimeoutError:
            self._wedge(f"loading took more than {self.limits.load_s:.0f} s")
            await self.gone.wait()
            raise ModelLoad(f"model {name} did not load within {self.limits.load_s:.0f} s") from None
        except asyncio.CancelledError:
            await self.kill()
            raise

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid if self._process else 0

    @property
    def jobs(self) -> int:
        """Jobs that it has now."""
        return len(self._jobs)

    async def stop(self) -> None:
        """End it: ask first, kill after a moment; returns when its memory is back."""
        self._stopping = True
        if not self.gone.is_set():
            with contextlib.suppress(OSError):
                await self._send(Shutdown())
            try:
                async with asyncio.timeout(EXIT_GRACE_S):
                    await self.gone.wait()
            except TimeoutError:
                await self.kill()

    async def kill(self) -> None:
        """End it at once."""
        self._stopping = True
        self._kill()
        await self.gone.wait()

    # --- jobs ---

    async def run(
        self, request: Request, step_limit_s: float, on_step: Callable[[float], None]
    ) -> AsyncGenerator[Event, None]:
        """Run one job and yield its events; closing the generator cancels it in the worker.

        `on_step` gets the seconds that each step computed. Raises WorkerCrashed or WorkerWedged when the process ends
        before the job.
        """
        self._numbers += 1
        job = RunningJob(self._numbers, step_limit_s, on_step)
        self._raise_if_gone()
        self._jobs[job.number] = job
        self._watch_pings()
        try:
            await self._submit(job.number, request)
            while not isinstance(item := await job.inbox.get(), JobDone):
                if isinstance(item, SlimvoiceError):
                    raise item
                yield item
            if item.error is not None:
                error = SlimvoiceError.from_data(item.error)
                if isinstance(error, DeviceBroken):
                    self.fail("device", error.message)
                    await self.gone.wait()
                    raise self._death() from error
                raise error
        finally:
            if job.number in self._jobs and not self.gone.is_set():
                self._post(Cancel(job.number))

    async def _submit(self, number: int, request: Request) -> None:
        try:
            if isinstance(request, SynthesizeRequest):
                await self._send(StartSynthesis(number, request))
                return
            pcm = memoryview(request.waveform.pcm)
            for start in range(0, len(pcm), AUDIO_PART_BYTES):
                await self._send(AudioPart(number, bytes(pcm[start : start + AUDIO_PART_BYTES])))
            bare = msgspec.structs.replace(request.waveform, pcm=b"")
            await self._send(StartTranscription(number, msgspec.structs.replace(request, waveform=bare)))
        except OSError:
            await self.gone.wait()
            self._raise_if_gone()

    def _raise_if_gone(self) -> None:
        if self.gone.is_set():
            raise self._death()

    # --- the socket ---

    async def _send(self, message: ToWorker) -> None:
        if self._writer is None:
            raise ConnectionError("not started")
        async with self._sending:
            self._writer.write(messages.frame(message))
            await self._writer.drain()

    def _post(self, message: ToWorker) -> None:
        """Send without waiting, from a place that cannot: small messages only."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(messages.frame(message))

    async def _watch(self, reader: asyncio.StreamReader, process: asyncio.subprocess.Process) -> None:
        """Hand out what the worker says until it says no more; then reap it and tell everybody who waits."""
        try:
            while True:
                length = LENGTH.unpack(await reader.readexactly(LENGTH.size))[0]
                if length > MAX_FRAME_BYTES:
                    raise ValueError(f"a frame of {length} bytes")
                self._take(messages.from_worker(await reader.readexactly(length)))
        except (asyncio.IncompleteReadError, OSError):
            pass
        except (ValueError, msgspec.DecodeError) as error:
            self._wedge(f"it said what is not a message: {error}")
        try:
            async with asyncio.timeout(EXIT_GRACE_S):
                await process.wait()
        except TimeoutError:
            self._kill()
            await process.wait()
        self._ended(process.returncode or 0)

    def _take(self, message: FromWorker) -> None:
        match message:
            case Loaded():
                if not self._loaded.done():
                    self._loaded.set_result(None)
            case LoadFailed(error):
                if not self._loaded.done():
                    self._loaded.set_exception(SlimvoiceError.from_data(error))
            case Pong():
                self._pong.set()
            case StepStarted(number):
                if (job := self._jobs.get(number)) is not None:
                    self._start_clock(job)
            case StepDone(number, seconds, events):
                if (job := self._jobs.get(number)) is not None:
                    job.step_ended()
                    job.on_step(seconds)
                    for event in events:
                        job.inbox.put_nowait(event)
            case JobDone(number):
                if (job := self._jobs.pop(number, None)) is not None:
                    job.step_ended()
                    job.inbox.put_nowait(message)

    async def _keep_stderr(self, stream: asyncio.StreamReader | None) -> None:
        while stream is not None:
            try:
                line = await stream.readline()
            except ValueError:  # a line longer than the buffer
                continue
            if not line:
                return
            self.stderr.append(line.decode(errors="replace").rstrip())

    # --- health ---

    def _start_clock(self, job: RunningJob) -> None:
        job.step_ended()
        loop = asyncio.get_running_loop()
        reason = f"a step took more than {job.step_limit_s:.0f} s"
        job.deadline = loop.call_later(job.step_limit_s, self._wedge, reason)

    def _watch_pings(self) -> None:
        """Ping while it loads or has jobs, so that a stopped process is noticed; an idle worker is left alone."""
        if self._pinging is None or self._pinging.done():
            self._pinging = self._spawn(self._ping())

    async def _ping(self) -> None:
        number = 0
        while not self.gone.is_set() and (self._jobs or not self._loaded.done()):
            number += 1
            self._pong.clear()
            self._post(Ping(number))
            patience_s = self.limits.pong_s if self._loaded.done() else self.limits.load_pong_s
            try:
                async with asyncio.timeout(patience_s):
                    await self._pong.wait()
            except TimeoutError:
                self._wedge(f"it did not answer for {patience_s:.0f} s")
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.limits.ping_every_s):
                    await self.gone.wait()

    def _wedge(self, reason: str) -> None:
        self.fail("wedged", reason)

    def fail(self, cause: Cause, reason: str) -> None:
        """End a process that is of no use any more; the first cause counts."""
        if not self.gone.is_set() and self._failing is None:
            self._failing = (cause, reason)
            self._kill()

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    def _ended(self, returncode: int) -> None:
        """Settle everything that waits on this process."""
        self.exit = diagnose(
            returncode,
            failing=self._failing,
            stopping=self._stopping,
            oom_killed=oom_kills() > self._oom_kills,
            stderr="\n".join(self.stderr),
        )
        if self.exit.failure:
            log.error(
                "worker failed",
                model=self.spec.installed.model.name, pid=self.pid, cause=self.exit.cause, reason=self.exit.reason,
                stderr=list(self.stderr)[-10:],
            )  # fmt: skip
        if self._writer is not None:
            self._writer.close()
        self.gone.set()
        if not self._loaded.done():
            self._loaded.set_exception(self._death())
            self._loaded.exception()  # whoever started it may be gone: it is read here
        for job in self._jobs.values():
            job.step_ended()
            job.inbox.put_nowait(self._death())
        self._jobs.clear()

    def _death(self) -> SlimvoiceError:
        """Return what to tell a client whose job died with this process."""
        name = self.spec.installed.model.name
        end = self.exit or Exit("stopped", "it was told to stop")
        stuck = end.cause in ("wedged", "device")
        return (WorkerWedged if stuck else WorkerCrashed)(
            f"the worker of {name} {'was stuck' if stuck else 'died'}: {end.reason}",
            hint="try again",
            retry_after_s=1.0,
            detail=end.detail,
        )

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
