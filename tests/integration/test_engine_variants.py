"""A variant of a runtime that dies on this processor gives way to the next lower one: real worker processes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from engine_fakes import Shelf, clip, expected, hear, running

from slimvoice.backends.fake.adapter import FakeVariants
from slimvoice.backends.whisper_cpp.variants import WhisperVariants
from slimvoice.cli import checks
from slimvoice.config import Settings
from slimvoice.engine.engine import Engine
from slimvoice.engine.health import Timeouts
from slimvoice.errors import ModelLoad, WorkerCrashed

COMPILER = shutil.which("cc")
PATIENT = Timeouts()
"""Nothing hangs here, and a worker that is starting may wait for a core."""


@pytest.fixture(autouse=True)
def three_variants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeVariants, "names", ("middle", "low"))


def crashing(*variants: str, when: str) -> Shelf:
    faults: dict[str, object] = {"load": "crash"} if when == "load" else {"always": "!crash"}
    return Shelf(stt={**faults, "variants": list(variants)})


def failures(engine: Engine) -> float:
    labels = {"model": "stt", "cause": "crashed"}
    return engine.metrics.registry.get_sample_value("slimvoice_worker_failures_total", labels) or 0


@pytest.mark.parametrize("when", ["load", "probe"])
async def test_the_next_lower_variant_serves_the_request_and_is_told(
    when: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(crashing("", "middle", when=when), timeouts=PATIENT, home=tmp_path) as engine:
        assert await hear(engine, clip(1)) == expected(clip(1))
        worker = (await engine.status()).workers[0]
        assert (worker.runtime, worker.restarts, worker.retry_at) == ("low", 0, None)
        assert failures(engine) == 2
    (found,) = checks.variants(Settings(home=tmp_path))
    assert (found.name, found.state) == ("fake-stt", "warn")
    assert "variant low" in found.message
    assert "SIGSEGV" in found.message
    assert "runtime-variants.json" in found.hint
    assert "a lower variant is tried" in "".join(capsys.readouterr())


async def test_a_later_server_starts_with_the_variant_that_worked(tmp_path: Path) -> None:
    async with running(crashing("", when="load"), timeouts=PATIENT, home=tmp_path) as engine:
        await hear(engine, clip(1))
    async with running(crashing("", when="load"), timeouts=PATIENT, home=tmp_path) as engine:
        assert await hear(engine, clip(2)) == expected(clip(2))
        assert (await engine.status()).workers[0].runtime == "middle"
        assert failures(engine) == 0


async def test_a_model_that_crashes_every_variant_is_refused_and_nothing_remembered(tmp_path: Path) -> None:
    async with running(crashing("", "middle", "low", when="load"), timeouts=PATIENT, home=tmp_path) as engine:
        with pytest.raises(ModelLoad, match=r"every variant .*SIGSEGV"):
            await hear(engine, clip(1))
        assert failures(engine) == 3
    assert list(checks.variants(Settings(home=tmp_path))) == []


async def test_a_crash_at_a_job_keeps_the_variant(tmp_path: Path) -> None:
    async with running(timeouts=PATIENT, home=tmp_path) as engine:
        with pytest.raises(WorkerCrashed):
            await hear(engine, clip(1), prompt="!crash")
        assert await hear(engine, clip(2)) == expected(clip(2))
        assert (await engine.status()).workers[0].runtime == ""


# --- whisper.cpp's own variants --------------------------------------------------------------------------


def compile_variant(folder: Path, name: str, code: str) -> None:
    assert COMPILER is not None
    command = [COMPILER, "-shared", "-fPIC", "-x", "c", "-", "-o", folder / f"libggml-cpu-{name}.so"]
    subprocess.run(command, input=code, text=True, check=True)


@pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")
def test_variants_are_ranked_as_ggml_scores_them_and_one_that_dies_at_that_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "_slimvoice_whisper.so").touch()
    for name, score in (("old", 1), ("new", 7), ("middle", 3), ("foreign", 0)):
        compile_variant(tmp_path, name, f"int ggml_backend_score(void) {{ return {score}; }}")
    monkeypatch.syspath_prepend(tmp_path)
    wheel = ("wheel",)
    assert WhisperVariants.lower() == ("middle", "old", *wheel)  # ggml's own choice is new
    build = WhisperVariants.build()
    compile_variant(tmp_path, "newest", "__attribute__((constructor)) static void die(void) { __builtin_trap(); }")
    assert WhisperVariants.lower() == ("new", "middle", "old", *wheel)  # ggml's own choice dies while it looks
    assert WhisperVariants.build() != build
