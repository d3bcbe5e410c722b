"""Main of a worker process: loads one model and runs its jobs until shutdown, or until its parent has gone.

Started as `python -m slimvoice.engine.worker_main FD NAME`, never forked: CUDA does not survive a fork. The main thread
reads messages, so pings and cancels are answered while the slots compute; it ends with the socket, and the kernel ends
it with the parent.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import NoReturn, cast

from slimvoice.backends.base import Backend, loaded_capabilities
from slimvoice.backends.registry import backend_class
from slimvoice.engine import messages
from slimvoice.engine.channel import Channel
from slimvoice.engine.scheduler import Job, Scheduler, Steps
from slimvoice.errors import ModelLoad, SlimvoiceError, pull_hint
from slimvoice.speech import LoadSpec

PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Worker:
    """One model and its jobs. The model loads in a thread, so that pings are answered meanwhile."""

    def __init__(self, channel: Channel, spec: LoadSpec) -> None:
        self._channel = channel
        self._spec = spec
        self._backend: Backend | None = None
        self._audio: dict[int, list[bytes]] = {}
        self._scheduler = Scheduler(spec.slots, spec.threads, channel.send)

    def run(self) -> None:
        """Take messages until Shutdown or the end of the socket."""
        threading.Thread(target=self._load, name="load", daemon=True).start()
        while (message := self._channel.receive()) is not None and not isinstance(message, messages.Shutdown):
            self._handle(message)

    def _load(self) -> None:
        try:
            self._backend = load(self._spec)
        except SlimvoiceError as error:
            self._channel.send(messages.LoadFailed(error.to_data()))
            os._exit(1)
        self._channel.send(messages.Loaded(loaded_capabilities(self._backend)))

    def _handle(self, message: messages.ToWorker) -> None:
        match message:
            case messages.Ping(number):
                self._channel.send(messages.Pong(number))
            case messages.Cancel(job):
                self._audio.pop(job, None)
                if not self._scheduler.cancel(job):  # it never began: the client left while its audio was on the way
                    self._channel.send(messages.JobDone(job))
            case messages.Ack(job):
                self._scheduler.acknowledge(job)
            case messages.AudioPart(job, pcm):
                self._audio.setdefault(job, []).append(pcm)
            case messages.Start(job, request):
                pcm = b"".join(self._audio.pop(job, ()))
                request = messages.from_wire(request, self._spec.installed.model, pcm)
                self._scheduler.add(self._job(job, request))

    def _job(self, number: int, request: messages.Request) -> Job:
        """Return a job that calls the backend's method for this kind of request."""
        method = messages.METHODS[type(request)]
        return Job(number, lambda control: cast(Steps, getattr(self._backend, method)(request, control)))


def load(spec: LoadSpec) -> Backend:
    """Load what `spec` says; whatever goes wrong is a ModelLoad."""
    name, runtime = spec.installed.model.name, spec.installed.runtime
    if runtime is not None and not Path(runtime.site).is_dir():
        raise ModelLoad(f"runtime {runtime.name} of {name} has been removed", hint=f"slimvoice pull {name}")
    if runtime is not None and runtime.kind == "beside":
        sys.path.append(runtime.site)  # behind ours, so that it replaces none of them; its .pth files are not read
    try:
        return backend_class(spec.installed.model.backend, spec.target).load(spec)
    except ModelLoad as error:
        error.hint = error.hint or pull_hint(name)
        raise
    except SlimvoiceError:
        raise
    except Exception as error:
        raise ModelLoad(
            f"model {name} could not be loaded", hint=pull_hint(name), detail=traceback.format_exc()
        ) from error


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies, even by kill -9 and while Python's lock is held.

    A parent that died before this call has closed its end of the socket, which `Worker.run` sees.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main(fd: int) -> int:
    """Serve one model over the socket `fd`; returns the exit status."""
    die_with_parent()
    for each in (signal.SIGINT, signal.SIGTERM):  # systemd and terminals tell every process; the parent decides
        signal.signal(each, signal.SIG_IGN)
    channel = Channel(socket.socket(fileno=fd))
    message = channel.receive()
    if not isinstance(message, messages.Load):
        return 0
    Worker(channel, message.spec).run()
    return 0


def run(fd: int) -> NoReturn:
    """Serve one model over the socket `fd`, then end this process."""
    status = main(fd)
    sys.stderr.flush()
    os._exit(status)  # the kernel gives everything back, whatever still computes; exit handlers of runtimes may crash


if __name__ == "__main__":
    run(int(sys.argv[1]))
