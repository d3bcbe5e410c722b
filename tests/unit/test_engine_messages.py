"""What crosses the socket between the server and a worker: each kind of job by one message and one table."""

from __future__ import annotations

from typing import get_args

import pytest

from slimvoice.backends.fake import FakeSpeechToText, FakeTextToSpeech
from slimvoice.engine import messages
from slimvoice.engine.messages import LENGTH, METHODS, Request, Start, attach_audio, detach_audio
from slimvoice.speech import SynthesizeRequest, TranscribeRequest, Waveform

REQUESTS = {
    TranscribeRequest: TranscribeRequest(model="stt", waveform=Waveform(pcm=b"\x01\x02"), languages=("en", "de")),
    SynthesizeRequest: SynthesizeRequest(model="tts", text="One.", speed=1.5),
}


def test_every_kind_of_job_has_its_method_and_a_backend_that_has_it() -> None:
    assert set(METHODS) == set(get_args(Request)) == set(REQUESTS)
    backends = (FakeSpeechToText, FakeTextToSpeech)
    assert all(any(hasattr(backend, method) for backend in backends) for method in METHODS.values())


@pytest.mark.parametrize("kind", METHODS)
def test_a_job_of_each_kind_crosses_whole_with_its_audio_ahead(kind: type[Request]) -> None:
    bare, pcm = detach_audio(REQUESTS[kind])
    framed = messages.frame(Start(7, bare))
    assert pcm == b"" or pcm not in framed
    crossed = messages.to_worker(framed[LENGTH.size :])
    assert isinstance(crossed, Start)
    assert (crossed.job, type(crossed.request)) == (7, kind)
    assert attach_audio(crossed.request, pcm) == REQUESTS[kind]
