"""A backend whose runtime is pulled: it hears where somebody speaks. Its worker tells what it was given to import."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Self

import webrtcvad  # type: ignore[import-not-found]  # only in workers: it lies in the volume

from slimvoice.backends.base import JobControl
from slimvoice.speech import STT_SAMPLE_RATE, LoadSpec, Segment, TranscribeEvent, TranscribeRequest, TranscriptDone

FRAME_BYTES = 2 * STT_SAMPLE_RATE * 30 // 1000


class VoiceCounter:
    """Says how many frames of 30 ms have a voice in them, and where its packages came from."""

    @classmethod
    def load(cls, spec: LoadSpec) -> Self:
        """Make the detector of the real runtime."""
        return cls()

    def __init__(self) -> None:
        self._detector = webrtcvad.Vad(2)

    def close(self) -> None:
        """Nothing to give back."""

    def transcribe(self, request: TranscribeRequest, control: JobControl) -> Iterator[Sequence[TranscribeEvent]]:
        """Hear everything in one step."""
        pcm = request.waveform.pcm
        frames = [pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES)]
        voiced = sum(self._detector.is_speech(frame, STT_SAMPLE_RATE) for frame in frames)
        said = json.dumps({"voiced": voiced, "frames": len(frames)} | _imported())
        duration_s = request.waveform.duration_s
        yield [
            Segment(id=0, seek=0, start_s=0.0, end_s=duration_s, text=said),
            TranscriptDone(language="en", duration_s=duration_s),
        ]


def _imported() -> dict[str, object]:
    from importlib.metadata import version

    import click
    import msgspec

    return {
        "webrtcvad": [webrtcvad.__file__, version("webrtcvad-wheels")],
        "click": [click.__file__, version("click")],
        "msgspec": msgspec.__file__,
        "sees": [name for name in ("numpy", "yaml", "pydantic", "pip", "ran_at_start") if find_spec(name)],
        "ran": "ran_at_start" in sys.modules,
    }
