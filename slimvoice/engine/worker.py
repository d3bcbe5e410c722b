"""The server's handle of one worker process: starts it, runs jobs on it, detects crashes and hangs, stops it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import structlog

from slimvoice.backends.registry import BACKENDS
from slimvoice.engine import messages
from slimvoice.engine.channel import AsyncChannel
from slimvoice.engine.health import Cause, Exit, Timeouts, diagnose, oom_kills
from slimvoice.engine.launch import command, environment
from slimvoice.engine.messages import Request
from slimvoice.engine.watchdog import StepClock, Watchdog
from slimvoice.errors import DeviceBroken, ModelLoad, SlimvoiceError, WorkerCrashed, WorkerWedged
from slimvoice.hardware import own_cgroup
from slimvoice.speech import Capabilities, LoadSpec

log = structlog.get_logger(__name__)

STDERR_LINES = 50
LOGGED_LINES = 10
EXIT_GRACE_S = 3.0
OOM_COUNTERS = (own_cgroup() / "memory.events", Path("/proc/vmstat"))
"""This container's own count, else the whole machine's."""


@dataclass(eq=False)
class RunningJob:
    """One job in a worker, as the server sees it. Its inbox is short: the worker waits for its reader."""

    number: int
    clock: StepClock
    on_step: Callable[[float], None]
    inbox: asyncio.Queue[messages.StepDone | messages.JobDone | SlimvoiceError] = field(default_factory=asyncio.Queue)


class WorkerProcess:
    """One worker process. `gone` is set once it has ended, `exit` then tells how."""

    def __init__(self, spec: LoadSpec, timeouts: Timeouts) -> None:
        self.spec = spec
        self._backend = BACKENDS.require(spec.installed.model.backend)
        self.timeouts = timeouts
        self.gone = asyncio.Event()
        self.exit: Exit | None = None
        self.capabilities: Capabilities | None = None
        """What the loaded model said that it can do."""
        self.stderr: deque[str] = deque(maxlen=STDERR_LINES)
        self._jobs: dict[int, RunningJob] = {}
        self._numbers = 0
        self._loaded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._process: asyncio.subprocess.Process | None = None
        self._channel: AsyncChannel | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._failing: tuple[Cause, str] | None = None
        self._stopping = False
        self._oom_kills = oom_kills(OOM_COUNTERS)
        self._watchdog = Watchdog(timeouts, self.gone, self._on_stuck)
        self._pinging: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The model's name."""
        return self.spec.installed.model.name

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid if self._process else 0

    # --- life ---

    async def start(self) -> None:
        """Start the process and wait until the model is loaded; raises ModelLoad or WorkerCrashed."""
        try:
            await self._spawn()
            async with asyncio.timeout(self.timeouts.load_s):
                await asyncio.shield(self._loaded)
        except TimeoutError:
            self.fail("wedged", f"loading took more than {self.timeouts.load_s:.0f} s")
            await self.gone.wait()
            raise ModelLoad(f"model {self.name} did not load within {self.timeouts.load_s:.0f} s") from None
        except asyncio.CancelledError:
            await self.kill()
            raise
        except OSError as error:  # no process, no memory, no descriptor left
            await self.kill()
            raise WorkerCrashed(
                f"no worker could be started for {self.name}", hint="try again", retry_after_s=5.0, detail=str(error)
            ) from error

    async def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        self._channel = await AsyncChannel.from_socket(ours)
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                *command(self.spec, theirs.fileno()),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env=environment(self.spec),
                process_group=0,  # a terminal's Ctrl-C is for the server alone; a kill takes its children too
            )  # fmt: skip
        self._task(self._listen(self._channel, self._process))
        self._task(self._keep_stderr(self._process.stderr))
        self._channel.post(messages.Load(self.spec))
        self._start_watchdog(self._channel)

    async def stop(self) -> None:
        """Shut the process down, killing it after a grace period; returns once it has ended."""
        self._stopping = True
        if self._process is None:
            self._settle(0)
        elif self._channel is not None and not self.gone.is_set():
            self._channel.post(messages.Shutdown())
            try:
                async with asyncio.timeout(EXIT_GRACE_S):
                    await self.gone.wait()
            except TimeoutError:
                await self.kill()

    async def kill(self) -> None:
        """Kill the process; returns once it has ended."""
        self._stopping = True
        if self._process is None:
            self._settle(0)
        else:
            self._kill()
            await self.gone.wait()

    def fail(self, cause: Cause, reason: str) -> None:
        """Kill a process that has failed; the first cause is kept."""
        if not self.gone.is_set() and self._failing is None:
            self._failing = (cause, reason)
            self._kill()

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    # --- jobs ---

    async def run(
        self, request: Request, step_limit_s: float, on_step: Callable[[float], None]
    ) -> AsyncGenerator[messages.Event, None]:
        """Run one job and yield its events; closing the generator cancels it in the worker.

        `on_step` gets the seconds that each step computed. Raises WorkerCrashed or WorkerWedged when the process ends
        before the job.
        """
        self._numbers += 1
        job = RunningJob(self._numbers, StepClock(step_limit_s, self._on_stuck), on_step)
        if self._channel is None or self.gone.is_set():
            raise self.error()
        self._jobs[job.number] = job
        self._start_watchdog(self._channel)
        try:
            await self._submit(self._channel, job.number, request)
            while isinstance(item := await job.inbox.get(), messages.StepDone):
                for event in item.events:
                    yield event
                self._channel.post(messages.Ack(job.number))
            await self._raise_for(item)
        finally:
            if job.number in self._jobs:
                self._channel.post(messages.Cancel(job.number))

    async def _submit(self, channel: AsyncChannel, number: int, request: Request) -> None:
        bare, pcm = messages.to_wire(request)
        audio = memoryview(pcm)
        try:
            for start in range(0, len(audio), messages.AUDIO_PART_BYTES):
                await channel.send(messages.AudioPart(number, bytes(audio[start : start + messages.AUDIO_PART_BYTES])))
            await channel.send(messages.Start(number, bare))
        except OSError:
            await self.gone.wait()  # its inbox tells how

    async def _raise_for(self, end: messages.JobDone | SlimvoiceError) -> None:
        """Raise what ended a job, if anything did; a broken GPU context ends the worker too."""
        if isinstance(end, SlimvoiceError):
            raise end
        if end.error is None:
            return
        error = SlimvoiceError.from_data(end.error)
        if isinstance(error, DeviceBroken):
            self.fail("device", error.message)
            await self.gone.wait()
            raise self.error() from error
        raise error

    # --- messages from the worker ---

    async def _listen(self, channel: AsyncChannel, process: asyncio.subprocess.Process) -> None:
        """Dispatch the worker's messages until its socket closes; then reap it and fail whatever waits on it."""
        try:
            while (message := await channel.receive()) is not None:
                self._handle(message)
        except (ValueError, msgspec.DecodeError) as error:
            self.fail("wedged", f"it said what is not a message: {error}")
        try:
            async with asyncio.timeout(EXIT_GRACE_S):
                await process.wait()
        except TimeoutError:
            self._kill()
            await process.wait()
        self._settle(process.returncode or 0)

    def _handle(self, message: messages.FromWorker) -> None:
        match message:
            case messages.Loaded(capabilities) if not self._loaded.done():
                self.capabilities = capabilities
                self._loaded.set_result(None)
            case messages.LoadFailed(error) if not self._loaded.done():
                self._stopping = True
                self._loaded.set_exception(SlimvoiceError.from_data(error))
            case messages.Pong():
                self._watchdog.pong_received()
            case messages.StepStarted(number) if (job := self._jobs.get(number)) is not None:
                job.clock.start()
            case messages.StepDone(number, seconds) if (job := self._jobs.get(number)) is not None:
                job.clock.stop()
                job.on_step(seconds)
                job.inbox.put_nowait(message)
            case messages.JobDone(number) if (job := self._jobs.pop(number, None)) is not None:
                job.clock.stop()
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
            log.debug("worker wrote", model=self.name, pid=self.pid, line=self.stderr[-1])

    # --- health ---

    def _start_watchdog(self, channel: AsyncChannel) -> None:
        if self._pinging is None or self._pinging.done():
            work = self._watchdog.ping(channel, lambda: bool(self._jobs), lambda: not self._loaded.done())
            self._pinging = self._task(work)

    def _on_stuck(self, reason: str) -> None:
        self.fail("wedged", reason)

    def _settle(self, returncode: int) -> None:
        """Record the exit and fail everything that waits on this process."""
        self.exit = diagnose(
            returncode,
            failing=self._failing,
            stopping=self._stopping,
            oom_killed=oom_kills(OOM_COUNTERS) > self._oom_kills,
            stderr="\n".join(self.stderr),
            gpu_faults=self._backend.gpu_faults,
        )
        if self.exit.failure:
            log.error("worker failed", model=self.name, pid=self.pid, cause=self.exit.cause, reason=self.exit.reason,
                      stderr=list(self.stderr)[-LOGGED_LINES:])  # fmt: skip
        if self._channel is not None:
            self._channel.close()
        self.gone.set()
        if not self._loaded.done():
            self._loaded.set_exception(self.error())
            self._loaded.exception()  # whoever started it may be gone: it is read here
        for job in self._jobs.values():
            job.clock.stop()
            job.inbox.put_nowait(self.error())
        self._jobs.clear()

    def error(self) -> SlimvoiceError:
        """Return what to tell a client whose job died with this process."""
        end = self.exit or Exit("stopped", "it was told to stop")
        stuck = end.cause in ("wedged", "device")
        return (WorkerWedged if stuck else WorkerCrashed)(
            f"the worker of {self.name} {'was stuck' if stuck else 'died'}: {end.reason}",
            hint="try again",
            retry_after_s=1.0,
            detail=end.detail,
        )

    def _task(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
