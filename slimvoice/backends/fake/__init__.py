"""Backends without a model, for tests: one for each task."""

from slimvoice.backends.info import BackendInfo, Placement
from slimvoice.speech import Capabilities, Task

SPEECH_TO_TEXT = BackendInfo(
    target="slimvoice.backends.fake.adapter:FakeSpeechToText",
    capabilities=Capabilities(
        task=Task.SPEECH_TO_TEXT,
        translate=True,
        detect_language=True,
        word_timestamps=True,
        logprobs=True,
        prompt=True,
    ),
    placement=Placement(max_slots=8),
    hidden=True,
)
TEXT_TO_SPEECH = BackendInfo(
    target="slimvoice.backends.fake.adapter:FakeTextToSpeech",
    capabilities=Capabilities(task=Task.TEXT_TO_SPEECH, voice_mixing=True, word_timestamps=True),
    placement=Placement(max_slots=4),
    hidden=True,
)
