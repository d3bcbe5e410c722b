"""What a schema cannot say, told to schemathesis: the audio of a request that is meant to be right is real audio, its
languages are languages, and its fields agree with each other. Requests that are meant to be wrong stay as they are.
"""

from __future__ import annotations

import base64
from typing import Any

import schemathesis
from api_fakes import wav

CLIP = wav(0.1)
LANGUAGES = ("en", "de", "fr")


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    if case.meta is None or not case.meta.generation.mode.is_positive or not isinstance(case.body, dict):
        return
    if case.path.endswith(("/transcriptions", "/translations")):
        _put_audio(case.body)
    if case.path.endswith("/transcriptions"):
        _agree(case.body)
    if case.path == "/v1/audio/models/{name}":  # these are for hf:OWNER/REPO only
        for field in ("file", "revision", "as"):
            case.body.pop(field, None)
    case._sync_validated_hashes()  # else schemathesis looks at the edited form again, and takes its bytes for a mistake


def _put_audio(body: dict[str, Any]) -> None:
    if "file" in body:
        body["file"] = CLIP
    if "input_audio" in body:
        body["input_audio"] = {"data": base64.b64encode(CLIP).decode(), "format": "wav"}


def _agree(body: dict[str, Any]) -> None:
    """Make a form what the fake model can do: it tells no speakers apart; times need verbose_json, logprobs json."""
    for field in ("known_speaker_names", "known_speaker_references"):
        body.pop(field, None)
    if body.get("language") is not None:
        body["language"] = LANGUAGES[len(body["language"]) % 3]
    if body.get("languages"):
        body["languages"] = [LANGUAGES[len(language) % 3] for language in body["languages"]]
    if body.get("timestamp_granularities"):
        body["response_format"] = "verbose_json"
        body.pop("include", None)
    elif body.get("include"):
        body["response_format"] = "json"
    elif body.get("response_format") == "diarized_json":
        body["response_format"] = "text"
