"""What the engine decides without a clock of its own, a process or a machine."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from fake_models import STT, TTS

from slimvoice import hardware
from slimvoice.backends.registry import BACKENDS
from slimvoice.engine.eviction import Allocation, decide, estimate_bytes, surplus
from slimvoice.engine.health import Exit, RestartPolicy, diagnose, oom_kills, step_limit_s
from slimvoice.engine.throughput import Throughput, audio_seconds
from slimvoice.speech import InstalledModel, LoadSpec, Model, SynthesizeRequest, Task, TranscribeRequest, Waveform

MODEL = Model(name="m", task=Task.SPEECH_TO_TEXT, backend="fake-stt")


def spec(threads: int = 4, slots: int = 1) -> LoadSpec:
    return LoadSpec(installed=InstalledModel(model=MODEL, files={}), threads=threads, slots=slots)


# --- memory ------------------------------------------------------------------------------------------


def test_model_that_fits_evicts_nobody() -> None:
    decision = decide(40, 100, [Allocation("a", 60, in_use=True, used_at=1)])
    assert (decision.action, decision.victims) == ("load", ())


def test_least_recently_used_idle_models_are_evicted_and_no_more_than_needed() -> None:
    allocations = [
        Allocation(name, 30, in_use=False, used_at=at) for name, at in (("new", 3), ("old", 1), ("middle", 2))
    ]
    assert decide(30, 100, allocations).victims == ("old",)
    assert decide(60, 100, allocations).victims == ("old", "middle")


def test_what_is_in_use_is_waited_for() -> None:
    allocations = [Allocation("busy", 80, in_use=True, used_at=1), Allocation("idle", 10, in_use=False, used_at=2)]
    assert decide(50, 100, allocations).action == "wait"
    assert decide(20, 100, allocations) == decide(20, 100, list(reversed(allocations)))
    assert decide(20, 100, allocations).victims == ("idle",)


def test_model_above_the_budget_never_fits() -> None:
    assert decide(101, 100, []).action == "never"


def test_grown_models_make_room_while_idle_but_never_the_last() -> None:
    one, two = Allocation("one", 60, in_use=False, used_at=1), Allocation("two", 60, in_use=True, used_at=0)
    assert surplus(100, [one, two]) == "one"
    assert surplus(120, [one, two]) is None
    assert surplus(50, [one]) is None
    assert surplus(50, [two, two]) is None


def test_estimate_prefers_what_was_measured_then_what_is_stated() -> None:
    assert estimate_bytes(7, 5, 3) == 7
    assert estimate_bytes(0, 5, 3) == 5
    assert estimate_bytes(0, 0, 100_000_000) == 250_000_000


# --- health ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("returncode", "oom", "cause", "words"),
    [
        (-signal.SIGSEGV, False, "crashed", "SIGSEGV"),
        (-signal.SIGKILL, True, "out-of-memory", "memory"),
        (-signal.SIGKILL, False, "killed", "killed"),
        (3, False, "crashed", "status 3"),
        (0, False, "crashed", "status 0"),
    ],
)
def test_ends_are_told_apart(returncode: int, oom: bool, cause: str, words: str) -> None:
    end = diagnose(returncode, failing=None, stopping=False, oom_killed=oom, stderr="last words")
    assert (end.cause, end.detail, end.failure) == (cause, "last words", True)
    assert words in end.reason


def test_what_we_did_ourselves_is_known_as_that() -> None:
    wedged = diagnose(-signal.SIGKILL, failing=("wedged", "too long"), stopping=False, oom_killed=True, stderr="")
    assert wedged == Exit("wedged", "too long")
    assert not diagnose(-signal.SIGKILL, failing=None, stopping=True, oom_killed=False, stderr="").failure


def test_abort_of_the_gpu_runtime_is_told_from_a_crash() -> None:
    abort = {"failing": None, "stopping": False, "oom_killed": False}
    cuda = {"stderr": "CUDA error: an illegal memory access", "gpu_faults": BACKENDS["whisper.cpp"].gpu_faults}
    assert diagnose(-signal.SIGABRT, **cuda, **abort).cause == "device"
    assert diagnose(-signal.SIGABRT, stderr="free(): invalid pointer", **abort).cause == "crashed"


def test_oom_kills_are_read_from_the_cgroup(tmp_path: Path) -> None:
    events = tmp_path / "memory.events"
    other = tmp_path / "vmstat"
    other.write_text("oom_kill 9\n")
    assert oom_kills([]) == 0
    assert oom_kills([events, other]) == 9
    events.write_text("low 0\noom 3\noom_kill 2\noom_group_kill 0\n")
    assert oom_kills([events, other]) == 2


def test_three_restarts_then_a_cool_down_that_doubles() -> None:
    policy = RestartPolicy(cool_down_s=30)
    assert [policy.failed(now) for now in (0.0, 1.0, 2.0)] == [True] * 3
    assert policy.cooling_s(3) == 0
    assert not policy.failed(3)
    assert policy.cooling_s(4) == 29
    assert not policy.failed(40)
    assert policy.cooling_s(40) == 60
    assert policy.cooling_s(100) == 0


def test_failures_of_long_ago_are_forgotten() -> None:
    policy = RestartPolicy(cool_down_s=30)
    for now in (0.0, 1.0, 2.0, 3.0):
        policy.failed(now)
    assert all(policy.failed(now) for now in (4000.0, 4001.0, 4002.0))
    assert not policy.failed(4003)
    assert policy.cooling_s(4003) == 30


def test_cool_down_is_bounded_and_ended_by_hand() -> None:
    policy = RestartPolicy()
    for now in range(50):
        policy.failed(float(now))
    assert policy.cooling_s(49) <= 3600
    policy.reset()
    assert policy.cooling_s(50) == 0
    assert policy.failed(51)


def test_step_limit_grows_with_sound_slots_weights_and_measured_pace() -> None:
    whole = step_limit_s(120, 30, spec())
    assert whole == 120
    assert step_limit_s(120, 3600, spec()) == whole
    assert 30 <= step_limit_s(120, 1, spec()) < 40
    assert step_limit_s(120, 30, spec(slots=2)) == 240
    assert step_limit_s(120, 30, spec(threads=2), weights_bytes=3_000_000_000) == 720
    assert step_limit_s(120, 30, spec(), factor=5) == 1500


# --- pace --------------------------------------------------------------------------------------------


def test_retry_after_is_the_backlog_at_the_measured_pace() -> None:
    throughput = Throughput()
    assert throughput.retry_after_s(10) == 5
    for now in (10.0, 10.0):  # two jobs at once
        throughput.begin(now)
    throughput.record(28.0, audio_s=100, compute_s=18, first_s=1)
    throughput.end()
    throughput.record(30.0, audio_s=100, compute_s=20, first_s=1)
    throughput.end()
    assert throughput.expected_s(180) == pytest.approx(16.4)
    assert throughput.retry_after_s(180) == 17
    assert throughput.retry_after_s(0.1) == 1
    assert throughput.retry_after_s(1e6) == 120


def test_idle_time_is_no_part_of_the_pace() -> None:
    throughput = Throughput()
    for began in (0.0, 1000.0):
        throughput.begin(began)
        throughput.record(began + 2, audio_s=20, compute_s=2, first_s=None)
        throughput.end()
    assert throughput.expected_s(100) == pytest.approx(10)


def test_pace_follows_slowly() -> None:
    throughput = Throughput()
    for compute_s in (10, 20):
        throughput.record(1.0, audio_s=100, compute_s=compute_s, first_s=None)
    assert throughput.realtime_factor == pytest.approx(0.12)


def test_text_counts_as_the_time_it_takes_to_say() -> None:
    assert audio_seconds(SynthesizeRequest(model=TTS, text="x" * 150, speed=2.0)) == 5
    assert audio_seconds(TranscribeRequest(model=STT, waveform=Waveform(pcm=b"\0" * 32000))) == 1


# --- the machine -------------------------------------------------------------------------------------


def test_cores_are_those_of_the_container(tmp_path: Path) -> None:
    free = hardware.cores(tmp_path)
    (tmp_path / "cpu.max").write_text("50000 100000")
    assert hardware.cores(tmp_path) == 1
    (tmp_path / "cpu.max").write_text("max 100000")
    assert hardware.cores(tmp_path) == free


def test_cores_under_the_first_version_of_cgroups(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("100000")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert hardware.cores(tmp_path) == 1


def test_memory_is_that_of_the_container(tmp_path: Path) -> None:
    whole = hardware.ram_bytes(tmp_path)
    (tmp_path / "memory.max").write_text("1000000000")
    assert hardware.ram_bytes(tmp_path) == min(whole, 1_000_000_000)
    (tmp_path / "memory.max").write_text("max")
    assert hardware.ram_bytes(tmp_path) == whole


@pytest.mark.parametrize(("device", "index"), [("cpu", None), ("cuda", 0), ("cuda:3", 3)])
def test_gpu_index(device: str, index: int | None) -> None:
    assert hardware.gpu_index(device) == index


def test_model_runs_on_the_cpu_unless_it_can_use_a_gpu() -> None:
    free = {"cuda:0": 5, "cuda:1": 9}
    assert hardware.choose("cuda:1", False, free) == "cpu"
    assert hardware.choose("cuda:0", True, free) == "cuda:0"
    assert hardware.choose("cuda", True, free) == hardware.choose("auto", True, free) == "cuda:1"
    assert hardware.choose("auto", True, {}) == "cpu"
    assert hardware.choose("cuda", True, {}) == "cuda:0"
    assert hardware.choose("cpu", True, free) == "cpu"


def test_limits_are_read_where_systemd_puts_them(tmp_path: Path) -> None:
    membership = tmp_path / "membership"
    membership.write_text("0::/system.slice/slimvoice.service\n")
    assert hardware.own_cgroup(membership, tmp_path) == tmp_path
    service = tmp_path / "system.slice" / "slimvoice.service"
    service.mkdir(parents=True)
    assert hardware.own_cgroup(membership, tmp_path) == service
    membership.write_text("0::/\n")
    assert hardware.own_cgroup(membership, tmp_path) == tmp_path
