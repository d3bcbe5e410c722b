"""Text to speech with Kokoro on ONNX Runtime."""

from slimvoice.backends.info import BackendInfo, Placement
from slimvoice.backends.tts import ONNX_RUNTIME_CHECK, ONNX_RUNTIME_ENV
from slimvoice.speech import Capabilities, Task

BACKEND = BackendInfo(
    task=Task.TEXT_TO_SPEECH,
    target="slimvoice.backends.kokoro.adapter:Kokoro",
    capabilities=Capabilities(voice_mixing=True, word_timestamps=True),
    placement=Placement(gpu=True, max_slots=4),
    env=ONNX_RUNTIME_ENV,
    install="slimvoice[cpu]",
    licence="MIT AND GPL-3.0-or-later",
    checks=ONNX_RUNTIME_CHECK,
    detect="slimvoice.backends.kokoro.files:detect",
    takes="Kokoro (.onnx and voices/)",
    inspect="slimvoice.backends.kokoro.files:inspect",
)
