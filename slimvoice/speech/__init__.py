"""The nouns of speech, and the interfaces between the faces and what serves them.

Nouns are frozen msgspec structs, so that they cross process borders as typed data.
"""

from slimvoice.speech.audio import STT_SAMPLE_RATE, Waveform
from slimvoice.speech.models import LOCAL, Capabilities, InstalledModel, InstalledRuntime, LoadSpec, Model, Task, Voice
from slimvoice.speech.provider import (
    DeviceStatus,
    ModelHost,
    ProviderHealth,
    ProviderStatus,
    SpeechProvider,
    WorkerStatus,
)
from slimvoice.speech.synthesis import AudioChunk, SpeechDone, SynthesizeEvent, SynthesizeRequest
from slimvoice.speech.transcription import (
    Progress,
    RequestContext,
    Segment,
    TokenLogprob,
    TranscribeEvent,
    TranscribeRequest,
    TranscriptDone,
    VoiceDetection,
    Word,
    joined_text,
)

__all__ = [
    "LOCAL",
    "STT_SAMPLE_RATE",
    "AudioChunk",
    "Capabilities",
    "DeviceStatus",
    "InstalledModel",
    "InstalledRuntime",
    "LoadSpec",
    "Model",
    "ModelHost",
    "Progress",
    "ProviderHealth",
    "ProviderStatus",
    "RequestContext",
    "Segment",
    "SpeechDone",
    "SpeechProvider",
    "SynthesizeEvent",
    "SynthesizeRequest",
    "Task",
    "TokenLogprob",
    "TranscribeEvent",
    "TranscribeRequest",
    "TranscriptDone",
    "Voice",
    "VoiceDetection",
    "Waveform",
    "Word",
    "WorkerStatus",
    "joined_text",
]
