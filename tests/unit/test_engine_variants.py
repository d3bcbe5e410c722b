"""Which variant of a runtime comes after a crash, and for how long that is remembered."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from slimvoice import hardware
from slimvoice.backends.fake.adapter import FakeVariants
from slimvoice.engine.health import Exit, diagnose
from slimvoice.engine.variants import Variants, died_of, next_lower

FAULTS = ("CUDA error",)
LOWER = ("skylakex", "haswell", "wheel")


def test_each_crash_leads_to_the_next_lower_variant_until_there_is_none() -> None:
    steps = ["", *LOWER]
    assert [next_lower(variant, LOWER) for variant in steps] == [*LOWER, None]
    assert next_lower("", ()) is None
    assert next_lower("of another build", LOWER) is None


def ended(returncode: int, *, stopping: bool = False, stderr: str = "") -> Exit:
    return diagnose(returncode, failing=None, stopping=stopping, oom_killed=False, stderr=stderr, gpu_faults=FAULTS)


def test_only_a_signal_of_its_own_code_speaks_against_a_variant() -> None:
    assert died_of(ended(-signal.SIGILL)) == "SIGILL"
    assert died_of(ended(-signal.SIGSEGV)) == "SIGSEGV"
    for other in (-signal.SIGKILL, -signal.SIGTERM, 3, 0):
        assert died_of(ended(other)) == ""
    assert died_of(ended(-signal.SIGABRT, stderr="CUDA error: out of memory")) == ""
    assert died_of(ended(-signal.SIGSEGV, stopping=True)) == ""
    assert died_of(None) == ""


def test_what_works_is_remembered_in_the_volume(tmp_path: Path) -> None:
    Variants(tmp_path).keep("fake-stt", "low", "SIGILL")
    lowered = Variants(tmp_path).lowered("fake-stt")
    assert lowered is not None
    assert (lowered.variant, lowered.why) == ("low", "SIGILL")
    assert Variants(tmp_path).first("fake-stt") == "low"
    assert Variants(tmp_path).first("whisper.cpp") == ""


@pytest.mark.parametrize("changed", ["processor", "build"])
def test_another_processor_or_build_starts_with_the_best_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    variants = Variants(tmp_path)
    variants.keep("fake-stt", "low", "SIGILL")
    where = hardware if changed == "processor" else FakeVariants
    monkeypatch.setattr(where, changed, staticmethod(lambda: "another"))
    assert variants.first("fake-stt") == ""


def test_a_volume_that_cannot_be_written_costs_the_memory_only_after_the_end(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("not a folder")
    variants = Variants(tmp_path)
    variants.keep("fake-stt", "low", "SIGILL")
    assert variants.first("fake-stt") == "low"
    assert Variants(tmp_path).first("fake-stt") == ""
