"""Pulling from a hub that speaks the real protocol, in this process."""

from __future__ import annotations

import errno
import hashlib
import json
import random
import threading
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from fake_hub import FakeHub

from slimvoice.config import Settings
from slimvoice.errors import (
    Corrupted,
    DiskFull,
    Gated,
    InvalidRequest,
    ModelNotPulled,
    Offline,
    PullError,
    SourceMissing,
    SourceUnreachable,
    Unsupported,
)
from slimvoice.models import pull_progress
from slimvoice.models.library import ModelLibrary
from slimvoice.models.records import PullProgress
from slimvoice.models.sources.base import Source
from slimvoice.models.sources.folder import FolderSource
from slimvoice.models.sources.hub import HubSource
from slimvoice.models.sources.web import UrlSource

REPO = "lab/voice"
WEIGHTS = b"lmgg" + random.Random(1).randbytes(3_000_000)
CONFIG = b'{"small": true}'
CATALOG = f"""
models:
  - name: mini
    task: speech-to-text
    backend: whisper.cpp
    repo: {REPO}
    files: {{weights: weights.bin, config: config.json}}
  - name: mini:more
    task: speech-to-text
    backend: whisper.cpp
    repo: {REPO}
    files: {{weights: weights.bin, extra: extra.bin}}
  - name: pinned
    task: speech-to-text
    backend: whisper.cpp
    repo: lab/pinned
    files: {{weights: weights.bin}}
pins:
  lab/pinned:
    weights.bin: {{size: {len(WEIGHTS)}, sha256: {hashlib.sha256(WEIGHTS).hexdigest()}}}
"""


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    repos = {
        REPO: {"weights.bin": WEIGHTS, "config.json": CONFIG, "extra.bin": b"extra"},
        "lab/pinned": {"weights.bin": WEIGHTS},
    }
    with FakeHub(repos=repos, small={"config.json"}) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    (home / "models.yaml").write_text(CATALOG)
    return home


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry at once, tell often, and do not wait for threads that hang in a read."""
    monkeypatch.setattr(pull_progress.PullProgressTracker, "pause", lambda self, seconds: None)
    monkeypatch.setattr(pull_progress, "_TICK_S", 0.01)
    monkeypatch.setattr(pull_progress, "_LEAVE_S", 0.05)


def library(home: Path, *sources: Source, offline: bool = False) -> ModelLibrary:
    return ModelLibrary(Settings(home=home, offline=offline), sources=sources)


def of_hub(home: Path, hub: FakeHub, token: str = "") -> ModelLibrary:
    return library(home, HubSource(hub.endpoint, token))


def visible(home: Path) -> Sequence[str]:
    folder = home / "models"
    return [path.name for path in folder.iterdir() if not path.name.startswith(".")] if folder.is_dir() else []


class Enough(Exception):
    """Cancels a pull."""


def cancel_halfway(models: ModelLibrary, name: str, hub: FakeHub) -> None:
    """Cancel a pull while the hub sends nothing any more."""

    def stop(progress: PullProgress) -> None:
        if progress.done_bytes > 1_000_000:
            raise Enough

    hub.stall_at = 2_000_000
    with pytest.raises(Enough):
        models.pull(name, stop)
    hub.stall_at = None


def test_pull_brings_verified_files_and_records_them(hub: FakeHub, home: Path) -> None:
    models = of_hub(home, hub)
    with pytest.raises(ModelNotPulled) as missing:
        models.require("mini")
    assert missing.value.hint == "slimvoice pull mini"

    told: list[PullProgress] = []
    installed = models.pull("mini", told.append)

    assert Path(installed.files["weights"]).read_bytes() == WEIGHTS
    assert Path(installed.files["config"]).read_bytes() == CONFIG
    assert models.require("mini") == installed
    assert [each.model.name for each in models.installed()] == ["mini"]
    manifest = models.store.manifest("mini")
    assert manifest is not None
    weights, config = manifest.files
    assert weights.sha256 == hashlib.sha256(WEIGHTS).hexdigest()
    assert (weights.source, weights.verified_by, config.verified_by) == ("hub", "hub", "hub")
    assert {path.name for path in (home / "models" / "mini").iterdir()} == {
        "weights.bin",
        "config.json",
        "manifest.json",
    }
    assert told[-1].status == "done"
    assert told[-1].done_bytes == told[-1].total_bytes == len(WEIGHTS) + len(CONFIG)
    assert all(before.done_bytes <= after.done_bytes for before, after in pairwise(told))


def test_second_pull_asks_nobody(hub: FakeHub, home: Path) -> None:
    of_hub(home, hub).pull("mini")
    asked = len(hub.asked)
    of_hub(home, hub).pull("mini")
    assert len(hub.asked) == asked


def test_pulling_again_fetches_only_what_changed(hub: FakeHub, home: Path) -> None:
    of_hub(home, hub).pull("mini")
    hub.repos[REPO]["config.json"] = b'{"small": "changed"}'
    sent = hub.sent_bytes
    installed = of_hub(home, hub).pull("mini", again=True)
    assert Path(installed.files["config"]).read_bytes() == b'{"small": "changed"}'
    assert hub.sent_bytes - sent == len(b'{"small": "changed"}')


def damage(path: str, at: int = 1_000_000) -> None:
    """Overwrite some bytes in the middle of a file, as a broken disk does: its size stays."""
    with Path(path).open("r+b") as file:
        file.seek(at)
        file.write(bytes(200_000))


@pytest.mark.parametrize("name", ["mini", "pinned"])
def test_pull_finds_a_damaged_file_of_the_right_size_and_brings_it_again(hub: FakeHub, home: Path, name: str) -> None:
    installed = of_hub(home, hub).pull(name)
    damage(installed.files["weights"])
    sent = hub.sent_bytes
    mended = of_hub(home, hub).pull(name)
    assert Path(mended.files["weights"]).read_bytes() == WEIGHTS
    assert hub.sent_bytes - sent == len(WEIGHTS)  # the file that is whole is not fetched


def test_damaged_file_is_not_taken_over_from_another_model(hub: FakeHub, home: Path) -> None:
    damage(of_hub(home, hub).pull("mini").files["weights"])
    assert Path(of_hub(home, hub).pull("mini:more").files["weights"]).read_bytes() == WEIGHTS
    sent = hub.sent_bytes
    assert Path(of_hub(home, hub).pull("mini").files["weights"]).read_bytes() == WEIGHTS
    assert hub.sent_bytes == sent  # the other model has it


def test_damage_that_cannot_be_mended_is_an_error_that_says_so(hub: FakeHub, home: Path) -> None:
    damage(of_hub(home, hub).pull("pinned").files["weights"])
    with pytest.raises(Offline, match="damaged"):
        library(home, HubSource(hub.endpoint, ""), offline=True).pull("pinned")


def test_model_that_has_lost_a_file_is_damaged_and_not_installed(hub: FakeHub, home: Path) -> None:
    models = of_hub(home, hub)
    Path(models.pull("mini").files["config"]).unlink()
    with Path(models.pull("pinned").files["weights"]).open("ab") as file:
        file.write(b"more")
    assert models.installed() == []
    assert [model.name for model in models.damaged()] == ["mini", "pinned"]
    with pytest.raises(ModelNotPulled) as caught:
        models.require("mini")
    assert caught.value.hint == "slimvoice pull mini"
    models.pull("mini")
    models.pull("pinned")
    assert models.damaged() == []


def test_models_share_files_and_removing_one_keeps_the_other(hub: FakeHub, home: Path) -> None:
    models = of_hub(home, hub)
    first = models.pull("mini")
    sent = hub.sent_bytes
    second = models.pull("mini:more")
    assert hub.sent_bytes - sent == len(b"extra")
    assert Path(first.files["weights"]).samefile(second.files["weights"])

    assert models.remove("mini") < 10_000  # the weights stay
    assert Path(second.files["weights"]).read_bytes() == WEIGHTS
    assert models.remove("mini:more") >= len(WEIGHTS)
    assert visible(home) == []
    with pytest.raises(ModelNotPulled):
        models.remove("mini")


def test_token_goes_to_the_hub_and_not_to_its_storage(hub: FakeHub, home: Path) -> None:
    of_hub(home, hub, token="secret-token").pull("mini")
    authorized = {asked.server for asked in hub.asked if "authorization" in asked.headers}
    assert authorized == {"hub"}
    assert hub.count("GET", "storage") == 1


def test_cancelled_pull_goes_on_where_it_stopped(hub: FakeHub, home: Path) -> None:
    cancel_halfway(of_hub(home, hub), "pinned", hub)
    assert visible(home) == []
    of_hub(home, hub).pull("pinned")
    resumed = [asked for asked in hub.asked if asked.server == "storage"][-1]
    assert int(resumed.headers["range"].removeprefix("bytes=").rstrip("-")) > 1_000_000


def test_many_small_files_come_side_by_side_and_arrive_whole(hub: FakeHub, home: Path) -> None:
    names = [f"f{number}" for number in range(30)]
    hub.repos["lab/many"] = {f"{name}.bin": name.encode() * 1000 for name in names}
    files = ", ".join(f"{name}: {name}.bin" for name in names)
    model = f"{{name: many, task: text-to-speech, backend: x, repo: lab/many, files: {{{files}}}}}"
    (home / "models.yaml").write_text(f"models: [{model}]")
    installed = of_hub(home, hub).pull("many")
    assert {role: Path(path).read_bytes() for role, path in installed.files.items()} == {
        name: name.encode() * 1000 for name in names
    }


def test_broken_connections_are_resumed_within_the_pull(hub: FakeHub, home: Path) -> None:
    hub.failures["break"] = 2
    installed = of_hub(home, hub).pull("pinned")
    assert Path(installed.files["weights"]).read_bytes() == WEIGHTS
    starts = [asked.headers.get("range") for asked in hub.asked if asked.server == "storage"]
    assert len(starts) == 3
    assert None not in starts[1:]
    assert hub.sent_bytes == len(WEIGHTS)


def test_server_without_ranges_is_read_from_the_start(hub: FakeHub, home: Path) -> None:
    hub.failures["break"] = 1
    hub.no_ranges = True
    installed = of_hub(home, hub).pull("pinned")
    assert Path(installed.files["weights"]).read_bytes() == WEIGHTS


def test_unpinned_file_that_changed_meanwhile_is_not_mixed(hub: FakeHub, home: Path) -> None:
    other = b"lmgg" + random.Random(2).randbytes(len(WEIGHTS) - 4)
    cancel_halfway(of_hub(home, hub), "mini", hub)
    hub.repos[REPO]["weights.bin"] = other
    installed = of_hub(home, hub).pull("mini")
    assert Path(installed.files["weights"]).read_bytes() == other


def test_corrupted_body_of_the_right_size_is_refused(hub: FakeHub, home: Path) -> None:
    hub.corrupt = {"weights.bin"}
    with pytest.raises(Corrupted) as refused:
        of_hub(home, hub).pull("mini")
    assert "pull again" in refused.value.hint
    assert visible(home) == []
    hub.corrupt = set()
    assert of_hub(home, hub).pull("mini").model.name == "mini"


def test_corrupted_small_file_is_refused_by_gits_hash(hub: FakeHub, home: Path) -> None:
    hub.corrupt = {"config.json"}
    with pytest.raises(Corrupted):
        of_hub(home, hub).pull("mini")
    assert visible(home) == []


def test_damaged_beginning_left_by_a_crash_is_fetched_anew(hub: FakeHub, home: Path) -> None:
    cancel_halfway(of_hub(home, hub), "pinned", hub)
    part = next((home / "models" / ".pulling").rglob("*.part"))
    part.write_bytes(bytes(part.stat().st_size))  # as a power cut may leave it
    installed = of_hub(home, hub).pull("pinned")
    assert Path(installed.files["weights"]).read_bytes() == WEIGHTS


def test_hub_with_other_bytes_than_the_pin_is_refused_before_they_are_fetched(hub: FakeHub, home: Path) -> None:
    hub.repos["lab/pinned"]["weights.bin"] = b"lmgg" + random.Random(3).randbytes(len(WEIGHTS) - 4)
    with pytest.raises(Corrupted, match="another file than the catalog's"):
        of_hub(home, hub).pull("pinned")
    assert not list((home / "models").rglob("*.part"))


def test_missing_file_repository_and_revision_are_told_apart(hub: FakeHub, home: Path) -> None:
    del hub.repos[REPO]["config.json"]
    with pytest.raises(SourceMissing, match=r"no lab/voice/config\.json"):
        of_hub(home, hub).pull("mini")
    del hub.repos[REPO]
    with pytest.raises(SourceMissing, match="no repository"):
        of_hub(home, hub).pull("mini")
    with pytest.raises(SourceMissing):
        of_hub(home, hub).pull_from_hub("hf:lab/pinned", file="weights.bin", revision="v9")


def test_gated_repository_says_what_to_do_and_opens_for_a_token(hub: FakeHub, home: Path) -> None:
    hub.gated, hub.token = {"lab/pinned"}, "right"
    with pytest.raises(Gated) as refused:
        of_hub(home, hub).pull("pinned")
    assert "HF_TOKEN" in refused.value.hint
    assert of_hub(home, hub, token="right").pull("pinned").model.name == "pinned"


def test_hub_that_fails_for_a_while_is_retried(hub: FakeHub, home: Path) -> None:
    hub.failures["GET"] = 3
    assert of_hub(home, hub).pull("pinned").model.name == "pinned"


def test_hub_that_keeps_failing_is_unreachable(hub: FakeHub, home: Path) -> None:
    hub.failures["GET"] = 1000
    with pytest.raises(SourceUnreachable, match="HTTP 503"):
        of_hub(home, hub).pull("pinned")
    hub.failures["HEAD"] = 1000
    with pytest.raises(SourceUnreachable):
        of_hub(home, hub).pull("mini")


def test_unreachable_hub_falls_over_to_the_next_source(hub: FakeHub, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "usb"
    (folder / "lab" / "pinned").mkdir(parents=True)
    (folder / "lab" / "pinned" / "weights.bin").write_bytes(WEIGHTS)
    nobody = HubSource("http://127.0.0.1:9")  # the discard port: refused
    models = library(home, nobody, FolderSource(folder))
    models.pull("pinned")
    manifest = models.store.manifest("pinned")
    assert manifest is not None
    assert manifest.files[0].source == "mirror"
    with pytest.raises(SourceUnreachable) as alone:
        library(home, nobody).pull("mini")
    assert "SLIMVOICE_MIRROR" in alone.value.hint


def test_mirror_folder_comes_first_and_the_hub_fills_in(hub: FakeHub, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mirror"
    (folder / "lab" / "voice").mkdir(parents=True)
    (folder / "lab" / "voice" / "weights.bin").write_bytes(WEIGHTS)
    models = library(home, FolderSource(folder), HubSource(hub.endpoint))
    models.pull("mini")
    manifest = models.store.manifest("mini")
    assert manifest is not None
    assert [file.source for file in manifest.files] == ["mirror", "hub"]
    assert hub.sent_bytes == len(CONFIG)


def test_corrupted_mirror_is_passed_over_for_the_hub(hub: FakeHub, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mirror"
    (folder / "lab" / "pinned").mkdir(parents=True)
    (folder / "lab" / "pinned" / "weights.bin").write_bytes(bytes(len(WEIGHTS)))
    installed = library(home, FolderSource(folder), HubSource(hub.endpoint)).pull("pinned")
    assert Path(installed.files["weights"]).read_bytes() == WEIGHTS


def test_mirror_url_serves_and_resumes(hub: FakeHub, home: Path) -> None:
    hub.failures["break"] = 1
    models = library(home, UrlSource(f"{hub.endpoint}/mirror"))
    installed = models.pull("mini")
    assert Path(installed.files["weights"]).read_bytes() == WEIGHTS
    assert any(asked.headers.get("if-range") for asked in hub.asked)
    assert not any("authorization" in asked.headers for asked in hub.asked)
    with pytest.raises(SourceMissing, match=r"no lab/voice/extra\.bin"):
        del hub.repos[REPO]["extra.bin"]
        models.pull("mini:more")


def test_offline_touches_no_network(hub: FakeHub, home: Path) -> None:
    with pytest.raises(Offline) as refused:
        library(home, HubSource(hub.endpoint), offline=True).pull("mini")
    assert "SLIMVOICE_MIRROR" in refused.value.hint
    assert hub.asked == []


def test_no_room_is_told_before_anything_is_fetched(hub: FakeHub, home: Path) -> None:
    models = ModelLibrary(Settings(home=home), [HubSource(hub.endpoint)], free=lambda folder: 1_000_000)
    with pytest.raises(DiskFull, match="needs 3 MB") as refused:
        models.pull("pinned")
    assert "slimvoice rm" in refused.value.hint
    assert hub.sent_bytes == 0


def test_disk_that_fills_up_keeps_what_is_there(hub: FakeHub, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = Path.open

    def full(self: Path, *args: object, **options: object) -> object:
        if self.name.endswith(".part"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return written(self, *args, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(DiskFull, match="is full"):
            of_hub(home, hub).pull("pinned")
    assert visible(home) == []
    assert of_hub(home, hub).pull("pinned").model.name == "pinned"


def test_two_threads_share_one_download(hub: FakeHub, home: Path) -> None:
    hub.stall_at = 1_000_000
    statuses: list[str] = []
    waited = threading.Event()

    def note(progress: PullProgress) -> None:
        statuses.append(progress.status)
        if progress.status == "waiting" and progress.done_bytes > 500_000:
            waited.set()

    threads = [threading.Thread(target=of_hub(home, hub).pull, args=("pinned", note)) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert waited.wait(10)
    hub.released.set()
    for thread in threads:
        thread.join(10)
    assert hub.sent_bytes == len(WEIGHTS)
    assert statuses.count("done") == 2


def test_model_of_a_repository_is_detected_and_found_by_its_name(hub: FakeHub, home: Path) -> None:
    models = of_hub(home, hub)
    installed = models.pull_from_hub("hf:lab/voice", file="weights.bin", as_name="my-model")
    assert installed.model.backend == "whisper.cpp"
    assert models.find("my-model").name == "my-model"
    assert of_hub(home, hub).require("my-model").files == installed.files
    with pytest.raises(InvalidRequest):
        models.pull_from_hub("hf:lab/voice", file="weights.bin", as_name="whisper:tiny")
    with pytest.raises(ModelNotPulled) as missing:
        models.find("hf:lab/pinned")
    assert missing.value.hint == "slimvoice pull hf:lab/pinned"
    models.pull("hf:lab/pinned")
    assert models.require("hf:lab/pinned").model.backend == "whisper.cpp"


def test_repository_without_a_model_for_us_is_told(hub: FakeHub, home: Path) -> None:
    hub.repos["lab/other"] = {"pytorch_model.bin": b"PK\x03\x04rest", "model.onnx": b"graph", "README.md": b"#"}
    with pytest.raises(Unsupported, match="no model of a backend"):
        of_hub(home, hub).pull_from_hub("hf:lab/other")
    hub.repos["lab/two"] = {"a.bin": WEIGHTS, "b.bin": WEIGHTS}
    with pytest.raises(InvalidRequest, match="holds 2 models") as several:
        of_hub(home, hub).pull_from_hub("hf:lab/two")
    assert "--file" in several.value.hint


def test_file_of_another_kind_that_no_hash_vouches_for_never_becomes_visible(hub: FakeHub, home: Path) -> None:
    hub.repos[REPO]["weights.bin"] = b"<html>please log in</html>"  # as a captive portal answers
    with pytest.raises(Unsupported):
        library(home, UrlSource(f"{hub.endpoint}/mirror")).pull("mini")
    assert visible(home) == []


def test_sha256_comes_from_the_tree_where_the_etag_is_no_hash(hub: FakeHub, home: Path) -> None:
    hub.plain_etags = True
    models = of_hub(home, hub)
    models.pull("mini:more")
    manifest = models.store.manifest("mini:more")
    assert manifest is not None
    assert {file.verified_by for file in manifest.files} == {"hub"}
    models.remove("mini:more")
    hub.corrupt = {"weights.bin"}
    with pytest.raises(Corrupted):
        models.pull("mini:more")


def test_list_of_voices_is_refreshed_from_its_repository(hub: FakeHub, home: Path) -> None:
    path = "en/en_GB/new/low/en_GB-new-low.onnx"
    listed = {
        "en_GB-new-low": {
            "language": {"code": "en_GB"},
            "speaker_id_map": {"ann": 1, "bob": 0},
            "files": {path: {"size_bytes": 60}, f"{path}.json": {"size_bytes": 4}, "MODEL_CARD": {"size_bytes": 9}},
        },
        "strange name": {},
    }
    hub.repos["rhasspy/piper-voices"] = {"voices.json": json.dumps(listed).encode()}
    models = of_hub(home, hub)
    assert "piper:en_GB-new-low" not in {model.name for model in models.models()}
    assert models.refresh() == 2
    for later in (models, of_hub(home, hub)):
        new = next(model for model in later.models() if model.name == "piper:en_GB-new-low")
        assert (new.size_bytes, [voice.id for voice in new.voices]) == (64, ["bob", "ann"])
    hub.repos["rhasspy/piper-voices"] = {"voices.json": b"<html>"}
    with pytest.raises(Corrupted):
        models.refresh()
    assert models.find("piper:en_GB-new-low").size_bytes == 64


def test_every_failure_is_one_of_ours_with_something_to_do(hub: FakeHub, home: Path) -> None:
    hub.gated = {"lab/pinned"}
    for name, break_it in {
        "pinned": lambda: None,
        "mini": lambda: hub.corrupt.add("weights.bin"),
        "mini:more": hub.repos.clear,
    }.items():
        break_it()
        with pytest.raises(PullError) as failed:
            of_hub(home, hub).pull(name)
        assert failed.value.hint
