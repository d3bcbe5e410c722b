"""Backends without a model, for tests: one for each task."""

import msgspec

from slimvoice.backends.info import BackendInfo, Placement
from slimvoice.speech import Capabilities, Model, Task

_MULTILINGUAL = Capabilities(translate=True, detect_language=True, word_timestamps=True, logprobs=True, prompt=True)


def _capabilities_of(model: Model) -> Capabilities:
    if model.languages == ("en",):
        return msgspec.structs.replace(_MULTILINGUAL, translate=False, detect_language=False)
    return _MULTILINGUAL


SPEECH_TO_TEXT = BackendInfo(
    task=Task.SPEECH_TO_TEXT,
    target="slimvoice.backends.fake.adapter:FakeSpeechToText",
    capabilities=_MULTILINGUAL,
    capabilities_of=_capabilities_of,
    placement=Placement(max_slots=8),
    variants="slimvoice.backends.fake.adapter:FakeVariants",
    hidden=True,
)
TEXT_TO_SPEECH = BackendInfo(
    task=Task.TEXT_TO_SPEECH,
    target="slimvoice.backends.fake.adapter:FakeTextToSpeech",
    capabilities=Capabilities(voice_mixing=True, word_timestamps=True),
    placement=Placement(max_slots=4),
    hidden=True,
)
