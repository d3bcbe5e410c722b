"""The contract between a worker process and a model runtime. It fits one screen.

A backend gets file paths and options; it never downloads and never reads the environment. It lives inside a worker
process, so a native abort costs one model, not the server. `transcribe` and `synthesize` return generators: each
`next()` does one step (a window of at most 30 s, a sentence) and yields the events of that step, possibly none.
The worker takes one step of each running job in turn; dropping the generator ends the job.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, Self

from slimvoice.speech import (
    Capabilities,
    LoadSpec,
    SynthesizeEvent,
    SynthesizeRequest,
    TranscribeEvent,
    TranscribeRequest,
)


class JobControl(Protocol):
    """The worker's side of a running job: cancellation and threads. Cheap: called from a runtime's abort callback."""

    @property
    def cancelled(self) -> bool:
        """True once nobody wants the result; the step must end soon (raise Cancelled or just return)."""
        ...

    @property
    def threads(self) -> int:
        """Compute threads that the present step may use; read it at the start of each step."""
        ...


class Backend(Protocol):
    """One loaded model. Methods raise SlimvoiceError (InvalidRequest, Inference, ModelLoad), nothing else.

    Two more are optional: `capabilities: Capabilities`, what the loaded model can do, where only its runtime knows; and
    a static method `open_runtime()`, which loads the runtime, for doctor, where importing the adapter does not.
    """

    @classmethod
    def load(cls, spec: LoadSpec) -> Self:
        """Load the files of `spec`; raises ModelLoad when they are missing, damaged or of another kind."""
        ...

    def close(self) -> None:
        """Give back every byte; the object is not used again."""
        ...


class RuntimeVariants(Protocol):
    """The builds of one runtime on this machine. The server asks; a runtime is opened in child processes only."""

    @staticmethod
    def build() -> str:
        """Return what tells the installed runtime from another build of it; cheap."""
        ...

    @staticmethod
    def lower() -> tuple[str, ...]:
        """Return the variants besides the one that loads by itself, best first; may take seconds."""
        ...

    @staticmethod
    def hint() -> str:
        """Return what a user can do where every variant crashes."""
        ...


class SpeechToText(Backend, Protocol):
    """A backend that transcribes."""

    def transcribe(self, request: TranscribeRequest, control: JobControl) -> Iterator[Sequence[TranscribeEvent]]:
        """Yield the events of one window per step; TranscriptDone is the last event of the last step."""
        ...


class TextToSpeech(Backend, Protocol):
    """A backend that synthesizes speech."""

    def synthesize(self, request: SynthesizeRequest, control: JobControl) -> Iterator[Sequence[SynthesizeEvent]]:
        """Yield the audio of one sentence per step; SpeechDone is the last event of the last step."""
        ...


def loaded_capabilities(backend: Backend) -> Capabilities | None:
    """Return what a loaded model itself says that it can do; None where its backend's descriptor knows."""
    return getattr(backend, "capabilities", None)
