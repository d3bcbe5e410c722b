"""Speech to text with whisper.cpp."""

import sys

import msgspec

from slimvoice.backends.info import BackendInfo, Placement
from slimvoice.speech import Capabilities, Model, Task

# Threads that spin for long cost a third more CPU when cores are busy; those that sleep at once wake too late for the
# next of a decoder's many small products, which costs a third more time. GNU's count is some microseconds; only where
# the policy is active does it also hold once the slots' threads together outnumber the cores (libgomp's env.c).
_OPENMP_ENV = (
    {"OMP_WAIT_POLICY": "active", "GOMP_SPINCOUNT": "1000"}
    if sys.platform == "linux"
    else {"OMP_WAIT_POLICY": "passive"}
)
_MULTILINGUAL = Capabilities(translate=True, detect_language=True, word_timestamps=True, logprobs=True, prompt=True)
_ENGLISH_ONLY = msgspec.structs.replace(_MULTILINGUAL, translate=False, detect_language=False)


def _capabilities_of(model: Model) -> Capabilities:
    return _ENGLISH_ONLY if model.languages == ("en",) else _MULTILINGUAL


BACKEND = BackendInfo(
    task=Task.SPEECH_TO_TEXT,
    target="slimvoice.backends.whisper_cpp.adapter:WhisperCpp",
    capabilities=_MULTILINGUAL,
    capabilities_of=_capabilities_of,
    placement=Placement(gpu=True, vulkan=True, max_slots=8),
    env=_OPENMP_ENV,
    variants="slimvoice.backends.whisper_cpp.variants:WhisperVariants",
    install="slimvoice[cpu]",
    licence="MIT",
    gpu_faults=("CUDA error",),
    checks="slimvoice.backends.whisper_cpp.checks:processor",
    detect="slimvoice.backends.whisper_cpp.files:detect",
    takes="whisper.cpp ggml files",
    inspect="slimvoice.backends.whisper_cpp.files:inspect",
    recipes={"ggml-from-ctranslate2": "slimvoice.backends.whisper_cpp.from_ctranslate2:rebuilt"},
)
