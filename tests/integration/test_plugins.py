"""Backends of other people: the example, installed as docs/adding-a-backend.md says, beside two that are broken."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from served import Served

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "slimvoice"]
EXITS = """
import os
from slimvoice.backends.info import BackendInfo
from slimvoice.speech import Capabilities, Task
BACKEND = BackendInfo(task=Task.SPEECH_TO_TEXT, target="ends_its_process.adapter:Adapter", capabilities=Capabilities())
"""
OWN = """
models:
  - &one
    {name: my-keys, task: speech-to-text, backend: touch-tones, repo: example/touch-tones, files: {weights: tones.json}}
  - {<<: *one, name: ends, backend: ends-its-process}
  - {<<: *one, name: nobody, backend: fails-at-import}
"""


def install_by_hand(site: Path, name: str, source: str, adapter: str = "") -> None:
    """Put a package and its metadata where pip would."""
    package = site / name.replace("-", "_")
    package.mkdir()
    (package / "__init__.py").write_text(source)
    (package / "adapter.py").write_text(adapter)
    metadata = site / f"{package.name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[slimvoice.backends]\n{name} = {package.name}:BACKEND\n")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the example, its installation, and a volume."""
    folder = tmp_path_factory.mktemp("plugins")
    shutil.copytree(ROOT / "examples" / "slimvoice-example-backend", folder / "example")
    (folder / "home").mkdir()
    return folder


@pytest.fixture(scope="module")
def environment(place: Path) -> dict[str, str]:
    """What the commands of the tutorial run in: pip installs into a folder of its own, out of no index."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLIMVOICE_")}
    pip = {"NO_INDEX": "1", "NO_DEPS": "1", "NO_BUILD_ISOLATION": "0", "TARGET": str(place / "site"), "QUIET": "1"}
    return (
        kept
        | {f"PIP_{name}": value for name, value in pip.items()}
        | {"PYTHONPATH": str(place / "site"), "SLIMVOICE_HOME": str(place / "home"), "SLIMVOICE_OFFLINE": "1"}
        | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    )


def run(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def tutorial(place: Path, environment: dict[str, str]) -> str:
    """What the commands of docs/adding-a-backend.md print, run as they stand there."""
    text = (ROOT / "docs" / "adding-a-backend.md").read_text()
    block = re.search(r"^```sh\ncd examples/slimvoice-example-backend\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    done = subprocess.run(
        ["bash", "-euc", block[1]],
        cwd=place / "example",
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_tutorial_does_what_it_says(tutorial: str) -> None:
    assert re.search(r"^ok +touch-tones +loads$", tutorial, re.MULTILINE)
    assert re.search(r"^1 2 3$", tutorial, re.MULTILINE)
    assert re.search(r"^\d+ passed, 1 skipped in ", tutorial, re.MULTILINE)


@pytest.fixture(scope="module")
def broken(place: Path, environment: dict[str, str], tutorial: str) -> dict[str, str]:
    """The environment with two broken plug-ins beside the example, and models of all three."""
    install_by_hand(place / "site", "fails-at-import", "raise RuntimeError('its licence is missing')")
    install_by_hand(place / "site", "ends-its-process", EXITS, "import os\nos._exit(7)")
    (place / "home" / "models.yaml").write_text(OWN)
    return environment | {"SLIMVOICE_MIRROR": str(place / "example" / "mirror")}


def test_a_broken_plugin_is_told_by_doctor_and_hurts_no_other(broken: dict[str, str]) -> None:
    done = run(broken, "doctor", "--json")
    found = {each["name"]: each for each in json.loads(done.stdout)}
    assert done.returncode == 1
    assert found["fails-at-import"]["state"] == "fail"
    assert "its licence is missing" in found["fails-at-import"]["message"]
    assert found["ends-its-process"]["state"] != "ok" and "status 7" in found["ends-its-process"]["message"]
    assert found["touch-tones"]["state"] == "ok"
    listed = run(broken, "list", "--all")
    assert listed.returncode == 0 and "touch-tones" in listed.stdout and "whisper:base" in listed.stdout


def test_models_of_a_catalog_of_ones_own_are_pulled_for_a_plugin(broken: dict[str, str]) -> None:
    for name in ("my-keys", "ends", "nobody"):
        assert run(broken, "pull", name).returncode == 0
    assert "my-keys" in run(broken, "list").stdout


@pytest.fixture(scope="module")
def server(broken: dict[str, str]) -> Iterator[Served]:
    for name in ("my-keys", "ends", "nobody"):
        run(broken, "pull", name)
    serving = Served(broken | {"SLIMVOICE_DEFAULT_STT": "my-keys", "SLIMVOICE_DEFAULT_TTS": "none"}, "--pull", "")
    yield serving
    assert serving.stop(signal.SIGTERM) == 0, serving.lines
    serving.close()


def transcribe(server: Served, place: Path, model: str, **data: str) -> httpx2.Response:
    files = {"file": ("keys.wav", (place / "example" / "dialled.wav").read_bytes())}
    return httpx2.post(f"{server.url}/v1/audio/transcriptions", files=files, data={"model": model, **data}, timeout=120)


def test_the_server_serves_a_plugin_beside_broken_ones(server: Served, place: Path) -> None:
    server.line("a backend is broken")
    for wrong, said in (("ends", "ends"), ("nobody", "fails-at-import")):
        answer = transcribe(server, place, wrong)
        assert answer.status_code >= 500, answer.text
        assert said in answer.json()["error"]["message"]
    answer = transcribe(
        server, place, "my-keys", response_format="verbose_json", **{"timestamp_granularities[]": "word"}
    )
    assert answer.status_code == 200, answer.text
    assert [word["word"] for word in answer.json()["words"]] == ["1", "2", "3"]


def test_a_plugins_model_is_unloaded(server: Served, place: Path, broken: dict[str, str]) -> None:
    assert transcribe(server, place, "my-keys").json()["text"] == "1 2 3"
    there = broken | {"SLIMVOICE_PORT": server.url.rpartition(":")[2]}
    assert "my-keys" in run(there, "ps").stdout
    assert run(there, "unload", "my-keys").returncode == 0
    assert "my-keys" not in run(there, "ps").stdout
