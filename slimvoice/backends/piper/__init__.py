"""Text to speech with Piper voices on ONNX Runtime."""

from slimvoice.backends.info import BackendInfo, Placement
from slimvoice.backends.tts import ONNX_RUNTIME_CHECK, ONNX_RUNTIME_ENV
from slimvoice.speech import Capabilities, Task

BACKEND = BackendInfo(
    task=Task.TEXT_TO_SPEECH,
    target="slimvoice.backends.piper.adapter:Piper",
    capabilities=Capabilities(word_timestamps=True),
    placement=Placement(gpu=True, max_slots=4),
    env=ONNX_RUNTIME_ENV,
    install="slimvoice[cpu]",
    licence="GPL-3.0-or-later",
    checks=ONNX_RUNTIME_CHECK,
    detect="slimvoice.backends.piper.files:detect",
    takes="Piper voices (.onnx and .onnx.json)",
    inspect="slimvoice.backends.piper.files:inspect",
    read_index="slimvoice.backends.piper.files:read_index",
)
