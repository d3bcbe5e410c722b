"""Doctor's judgements."""

import socket
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from slimvoice import hardware
from slimvoice.backends.tts import onnx_checks
from slimvoice.backends.whisper_cpp import checks as processor
from slimvoice.cli import checks
from slimvoice.config import Settings


def settings(**values) -> Settings:
    return Settings(**{"home": Path("/nonexistent/slimvoice"), "offline": True, **values})


def test_a_processor_without_avx2_would_crash_the_stock_wheel():
    old = frozenset({"sse4_2", "avx"})
    found = processor.judged(old, build="wheel")
    assert found.state == "fail"
    assert "illegal instruction" in found.message
    assert "scripts/build-runtime" in processor.judged(processor.CPU_FLAGS, build="wheel").message
    assert processor.judged(old, build="own").state == "ok"


def test_two_onnx_runtimes_are_an_error_with_a_cure():
    found = onnx_checks.judged({"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.31.1"})
    assert found.state == "fail"
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in found.hint
    assert onnx_checks.judged({"onnxruntime-gpu": "1.31.1"}).state == "ok"
    assert onnx_checks.judged({}).state == "warn"


@pytest.mark.parametrize(
    ("returncode", "stderr", "state", "said"),
    [
        (0, "", "ok", "loads"),
        (-4, "", "fail", "SIGILL"),
        (1, "Traceback\nModuleNotFoundError: No module named 'piper'", "warn", "No module named 'piper'"),
    ],
)
def test_a_backend_is_judged_by_a_process_that_imports_it(returncode, stderr, state, said):
    found = checks.backend("piper", subprocess.CompletedProcess([], returncode, "", stderr))
    assert found.state == state
    assert said in found.message


def test_a_missing_runtime_names_what_to_install_on_this_machine(monkeypatch, tmp_path):
    child = subprocess.CompletedProcess([], 1, "", "ModuleNotFoundError: No module named 'numpy'")
    monkeypatch.setattr(hardware, "NVIDIA_DEVICE", tmp_path / "nvidiactl")
    assert checks.backend("piper", child).hint == "pip install 'slimvoice[cpu]'"
    (tmp_path / "nvidiactl").touch()
    hint = checks.backend("piper", child).hint
    assert "requirements/cuda.lock" in hint
    assert "pip install 'slimvoice[cpu]'" in hint
    assert "\n" not in hint


def test_a_reason_is_told_as_the_backend_words_it():
    for reason in ("the runtime of backend 'piper' is not installed: No module named 'numpy'", "it is of version 0.1"):
        assert checks.backend("piper", subprocess.CompletedProcess([], 1, "", reason)).message == reason


def test_a_runtime_that_hangs_fails():
    assert checks.backend("piper", None).state == "fail"


def test_little_memory_is_a_warning():
    assert checks.memory(2 * 10**9, 5 * 10**8).state == "warn"
    assert checks.memory(8 * 10**9, 5 * 10**9).state == "ok"


def test_asking_for_a_gpu_that_is_not_there_fails(monkeypatch):
    monkeypatch.setattr(hardware, "gpus", lambda: ())
    assert checks.gpu(settings(device="cuda")).state == "fail"
    assert checks.gpu(settings(device="auto")).state == "ok"
    monkeypatch.setattr(hardware, "gpus", lambda: (hardware.Gpu(0, "H200", 140 * 10**9),))
    assert "cuda:0 H200 140.0 GB" in checks.gpu(settings(device="cuda")).message


def test_a_taken_port_fails_and_a_free_one_does_not():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        taken.settimeout(0)
        found = checks.port(settings(port=port))
    assert found.state == "fail"
    assert "cannot listen" in found.message
    assert checks.port(settings(port=0)).state == "ok"


def test_missing_default_models_are_warnings_with_the_pull_command(tmp_path):
    found = list(checks.volume(settings(home=tmp_path)))
    assert found[0].state == "ok"
    assert {finding.hint for finding in found[1:]} == {"slimvoice pull whisper:base", "slimvoice pull kokoro"}


def test_a_volume_that_cannot_be_written_fails(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    assert next(iter(checks.volume(settings(home=tmp_path)))).state == "fail"


def test_no_source_is_asked_when_offline():
    assert [finding.message for finding in checks.sources(settings())] == ["not asked: offline"]


def test_an_install_for_gpus_names_what_is_missing_of_the_driver(monkeypatch, tmp_path):
    monkeypatch.setattr(hardware, "gpus", lambda: ())
    monkeypatch.setattr(checks, "DRIVER_LIBRARIES", ("libc.so.6", "libnowhere.so.1"))
    monkeypatch.setattr(checks, "DRIVER_DEVICE", tmp_path / "nvidiactl")
    monkeypatch.setattr(checks.metadata, "distributions", lambda: [SimpleNamespace(name="onnxruntime-gpu")])
    found = checks.gpu(settings(device="auto"))
    assert found.state == "warn"
    assert found.message.endswith(f"missing: libnowhere.so.1, {tmp_path / 'nvidiactl'}")
    assert "--gpus all" in found.hint
    assert checks.gpu(settings(device="cpu")).state == "ok"


def test_a_whole_driver_without_a_gpu_is_told(monkeypatch):
    monkeypatch.setattr(checks, "DRIVER_LIBRARIES", ("libc.so.6",))
    monkeypatch.setattr(checks, "DRIVER_DEVICE", Path("/dev/null"))
    assert checks.missing_of_driver() == ["a GPU that the driver shows"]
