"""A build of whisper.cpp that dies on this processor gives way to another, with a real model."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from slimvoice.audio.decode import decode
from slimvoice.config import Settings
from slimvoice.engine.engine import Engine
from slimvoice.errors import WorkerCrashed
from slimvoice.models.library import ModelLibrary
from slimvoice.speech import Segment, TranscribeRequest, joined_text

COMPILER = shutil.which("cc")
DIES = "__attribute__((constructor)) static void die(void) { __builtin_trap(); }"

pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason="needs a C compiler"),
    pytest.mark.skipif(find_spec("pywhispercpp") is None, reason="needs pywhispercpp's wheel"),
]


@pytest.fixture
def install_stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that puts a library which ends its process before the others of its name."""

    def install(module: str) -> None:
        assert COMPILER is not None
        command = [COMPILER, "-shared", "-fPIC", "-x", "c", "-", "-o", tmp_path / f"{module}.so"]
        subprocess.run(command, input=DIES, text=True, check=True)
        monkeypatch.syspath_prepend(tmp_path)  # this process, which looks for the builds
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))  # its workers, which open them

    return install


@pytest.fixture
def request_of_speech(speech: Path, library: ModelLibrary) -> TranscribeRequest:
    line = json.loads((speech / "manifest.jsonl").read_text().partition("\n")[0])
    recording = decode((speech / line["path"]).read_bytes(), max_duration_s=600)
    return TranscribeRequest(model=library.find("whisper:tiny"), waveform=recording)


async def test_a_build_that_ends_the_process_gives_way_to_the_wheel(
    library: ModelLibrary,
    install_stub: Callable[[str], None],
    request_of_speech: TranscribeRequest,
    tmp_path: Path,
) -> None:
    install_stub("_slimvoice_whisper")
    engine = Engine(Settings(home=tmp_path / "home", drain_s=0.2), library)
    try:
        events = [event async for event in engine.transcribe(request_of_speech)]
        assert joined_text([event for event in events if isinstance(event, Segment)])
        worker = (await engine.status()).workers[0]
        assert (worker.runtime, worker.jobs_done) == ("wheel", 1)
    finally:
        await engine.close()


async def test_a_wheel_that_ends_the_process_is_refused_with_what_to_do(
    library: ModelLibrary,
    install_stub: Callable[[str], None],
    request_of_speech: TranscribeRequest,
    tmp_path: Path,
) -> None:
    install_stub("_pywhispercpp")
    if find_spec("_slimvoice_whisper") is not None:
        pytest.skip("a build of our own is here and would be used")
    engine = Engine(Settings(home=tmp_path / "home", drain_s=0.2), library)
    try:
        with pytest.raises(WorkerCrashed, match=r"SIG") as refused:
            async for _ in engine.transcribe(request_of_speech):
                pass
        assert "scripts/build-runtime" in refused.value.hint
    finally:
        await engine.close()
