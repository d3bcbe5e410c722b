"""Models of the fake backends, as requests carry them."""

from __future__ import annotations

from slimvoice.speech import Model, Task


def fake_model(name: str, **fields: object) -> Model:
    """Return a model of the fake backend that its name begins with: stt, stt2, tts."""
    task = Task.SPEECH_TO_TEXT if name.startswith("stt") else Task.TEXT_TO_SPEECH
    return Model(name=name, task=task, backend=f"fake-{name[:3]}", **fields)  # type: ignore[arg-type]


STT = fake_model("stt")
TTS = fake_model("tts")
