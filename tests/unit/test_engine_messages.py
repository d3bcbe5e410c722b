"""What crosses the socket between the server and a worker: each kind of job by one message and one table."""

from __future__ import annotations

from typing import get_args

import pytest
from fake_models import fake_model

from slimvoice.backends.fake.adapter import FakeSpeechToText, FakeTextToSpeech
from slimvoice.engine import messages
from slimvoice.engine.messages import LENGTH, METHODS, Request, Start, from_wire, to_wire
from slimvoice.speech import SynthesizeRequest, TranscribeRequest, Voice, Waveform

TTS = fake_model("tts", voices=(Voice(id="a voice", language="en"),))
REQUESTS = {
    TranscribeRequest: TranscribeRequest(
        model=fake_model("stt"), waveform=Waveform(pcm=b"\x01\x02"), languages=("en", "de")
    ),
    SynthesizeRequest: SynthesizeRequest(model=TTS, text="One.", speed=1.5),
}


def test_every_kind_of_job_has_its_method_and_a_backend_that_has_it() -> None:
    assert set(METHODS) == set(get_args(Request)) == set(REQUESTS)
    backends = (FakeSpeechToText, FakeTextToSpeech)
    assert all(any(hasattr(backend, method) for backend in backends) for method in METHODS.values())


@pytest.mark.parametrize("kind", METHODS)
def test_a_job_of_each_kind_crosses_whole_with_its_audio_ahead(kind: type[Request]) -> None:
    request = REQUESTS[kind]
    bare, pcm = to_wire(request)
    framed = messages.frame(Start(7, bare))
    assert pcm == b"" or pcm not in framed
    assert b"a voice" not in framed  # the worker knows its model
    crossed = messages.to_worker(framed[LENGTH.size :])
    assert isinstance(crossed, Start)
    assert (crossed.job, type(crossed.request)) == (7, kind)
    assert from_wire(crossed.request, request.model, pcm) == request
