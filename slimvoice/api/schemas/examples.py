"""Examples for the OpenAPI document; a test holds each to its schema."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_USAGE = {"type": "duration", "seconds": 11.0}
_WORKER = {
    "model": "whisper:base", "task": "speech-to-text", "backend": "whisper.cpp", "state": "ready", "device": "cpu",
    "runtime": "",
}  # fmt: skip
_MODEL = {
    "id": "whisper:base", "object": "model", "created": 1763683200, "owned_by": "whisper.cpp", "name": "whisper:base",
    "task": "speech-to-text", "installed": True, "languages": ["en", "de"], "aliases": ["openai/whisper-base"],
    "licence": "MIT", "size_bytes": 147951465,
}  # fmt: skip

TRANSCRIPTION: Json = {"file": "speech.wav", "model": "whisper-1", "language": "en", "response_format": "json"}
TRANSLATION: Json = {"file": "rede.mp3", "model": "whisper-1", "response_format": "srt"}
SPEECH: Json = {"model": "tts-1", "input": "Hello from slimvoice.", "voice": "alloy", "response_format": "mp3"}
SPEECH_EVENT: Json = {"data": '{"type": "speech.audio.delta", "audio": "//PkxAA..."}'}
TRANSCRIPT_EVENT: Json = {"data": '{"type": "transcript.text.delta", "delta": "And so my fellow Americans"}'}
SUBTITLES = "1\n00:00:00,052 --> 00:00:10,612\nAsk not what your country can do for you.\n\n"

RESPONSES: dict[str, Json] = {
    "AudioModelList": {"object": "list", "data": [_MODEL], "models": [_MODEL]},
    "Deleted": {"id": "whisper:base", "object": "model", "deleted": True, "freed_bytes": 147951465},
    "Health": {"status": "ok", "version": "0.2.0"},
    "ModelList": {"object": "list", "data": [_MODEL]},
    "ModelObject": _MODEL,
    "PullLine": {"status": "success", "model": "whisper:base"},
    "Status": {
        "version": "0.2.0",
        "workers": [_WORKER],
        "devices": [
            {"name": "cpu", "budget_bytes": 6442450944, "used_bytes": 214958080, "total_bytes": 8589934592},
        ],
    },
    "Transcription": {"text": "Ask not what your country can do for you.", "usage": _USAGE},
    "VerboseTranscription": {
        "task": "transcribe", "language": "english", "duration": 11.0, "usage": _USAGE,
        "text": "Ask not what your country can do for you.",
        "segments": [{
            "id": 0, "seek": 5, "start": 0.052, "end": 10.612, "text": " Ask not what your country can do for you.",
            "tokens": [50364, 12320, 406], "temperature": 0.0, "avg_logprob": -0.18, "compression_ratio": 1.35,
            "no_speech_prob": 0.02,
        }],
        "language_probability": 0.99, "speech_duration": 10.5,
    },
    "VoiceList": {
        "voices": [{
            "id": "af_bella", "object": "audio.voice", "name": "bella", "language": "en-US", "gender": "female",
            "model": "kokoro", "note": "",
        }],
    },
    "Worker": _WORKER,
}  # fmt: skip
"""By the name of the response's schema."""
