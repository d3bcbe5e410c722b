"""Export and import: the same bytes, in parts, broken and resumed, and never out of the volume."""

from __future__ import annotations

import hashlib
import io
import random
import tarfile
from pathlib import Path

import msgspec
import pytest

from slimvoice.errors import ConfigError, Corrupted, DiskFull, InvalidRequest, Unsupported
from slimvoice.models.archive import export_models, import_models
from slimvoice.models.records import Manifest, PullProgress, StoredFile
from slimvoice.models.store import Store, link_or_copy
from slimvoice.speech import Model, Task

VOICE = random.Random(1).randbytes(100_000)
WEIGHTS = {"one": b"lmgg" + random.Random(2).randbytes(200_000), "two": b"lmgg" + random.Random(3).randbytes(150_000)}


def stored(role: str, path: str, data: bytes) -> StoredFile:
    sha256 = hashlib.sha256(data).hexdigest()
    return StoredFile(role=role, repo="a/b", path=path, revision="main", size=len(data), sha256=sha256)


def install(store: Store, name: str) -> Manifest:
    contents = {"w.bin": WEIGHTS[name], "voices/x.bin": VOICE}
    staging = store.staging(name)
    for path, data in contents.items():
        (staging / path).parent.mkdir(parents=True, exist_ok=True)
        (staging / path).write_bytes(data)
    files = (stored("weights", "w.bin", WEIGHTS[name]), stored("voices", "voices/x.bin", VOICE))
    model = Model(name=name, task=Task.SPEECH_TO_TEXT, backend="whisper.cpp")
    manifest = Manifest(model=model, files=files)
    store.publish(manifest)
    return manifest


@pytest.fixture
def full(tmp_path: Path) -> tuple[Store, list[Manifest]]:
    store = Store(tmp_path / "full")
    return store, [install(store, name) for name in WEIGHTS]


@pytest.fixture
def empty(tmp_path: Path) -> Store:
    return Store(tmp_path / "empty")


def quiet(_: PullProgress) -> None:
    pass


def plenty(_: Path) -> int:
    return 1 << 40


def pack(full: tuple[Store, list[Manifest]], output: Path, part_bytes: int = 1 << 30) -> list[Path]:
    return export_models(*full, output, quiet, part_bytes)


def check(store: Store) -> None:
    for name, weights in WEIGHTS.items():
        manifest = store.manifest(name)
        assert manifest is not None
        paths = store.paths(manifest)
        assert Path(paths["weights"]).read_bytes() == weights
        assert (Path(paths["voices"]) / "x.bin").read_bytes() == VOICE


def test_models_arrive_as_they_left(full: tuple, empty: Store, tmp_path: Path) -> None:
    told: list[PullProgress] = []
    (path,) = pack(full, tmp_path / "models.tar")
    assert import_models(empty, path, told.append, plenty) == ["one", "two"]
    check(empty)
    assert told[-1].status == "done"
    assert told[-1].done_bytes == told[-1].total_bytes == 450_008
    assert path.stat().st_size < 450_008 + 20_000  # what two models share is in it once
    one, two = (empty.folder(name) / "voices" / "x.bin" for name in WEIGHTS)
    assert one.samefile(two)


def test_export_is_the_same_each_time_and_listed_for_sha256sum(full: tuple, tmp_path: Path) -> None:
    (first,), (second,) = pack(full, tmp_path / "a.tar"), pack(full, tmp_path / "b.tar")
    assert first.read_bytes() == second.read_bytes()
    digest = hashlib.sha256(first.read_bytes()).hexdigest()
    assert (tmp_path / "a.tar.sha256").read_text() == f"{digest}  a.tar\n"


def test_large_export_is_cut_into_parts(full: tuple, empty: Store, tmp_path: Path) -> None:
    parts = pack(full, tmp_path / "models.tar", 64_000)
    assert [part.name for part in parts][:2] == ["models.tar.001", "models.tar.002"]
    assert {part.stat().st_size for part in parts[:-1]} == {64_000}
    import_models(empty, tmp_path / "models.tar", quiet, plenty)
    check(empty)


def test_broken_export_goes_on_behind_its_whole_parts(full: tuple, empty: Store, tmp_path: Path) -> None:
    class Unplugged(Exception):
        pass

    def unplug(progress: PullProgress) -> None:
        if progress.done_bytes > 200_000:
            raise Unplugged

    with pytest.raises(Unplugged):
        export_models(*full, tmp_path / "m.tar", unplug, 64_000)
    first = tmp_path / "m.tar.001"
    written = first.stat().st_mtime_ns
    pack(full, tmp_path / "m.tar", 64_000)
    assert first.stat().st_mtime_ns == written
    import_models(empty, first, quiet, plenty)
    check(empty)


def test_parts_of_another_export_are_not_mixed_in(full: tuple, tmp_path: Path) -> None:
    store, manifests = full
    export_models(store, manifests[:1], tmp_path / "m.tar", quiet, 64_000)
    with pytest.raises(ConfigError, match="belongs to another export"):
        export_models(store, manifests, tmp_path / "m.tar", quiet, 64_000)


def test_broken_import_shows_no_half_model_and_goes_on(full: tuple, empty: Store, tmp_path: Path) -> None:
    (path,) = pack(full, tmp_path / "models.tar")
    whole = path.read_bytes()
    path.write_bytes(whole[:330_000])
    with pytest.raises(Corrupted):
        import_models(empty, path, quiet, plenty)
    assert [manifest.model.name for manifest in empty.installed()] == ["one"]
    path.write_bytes(whole)
    import_models(empty, path, quiet, plenty)
    check(empty)


def test_damaged_bytes_are_refused(full: tuple, empty: Store, tmp_path: Path) -> None:
    (path,) = pack(full, tmp_path / "models.tar")
    data = bytearray(path.read_bytes())
    data[150_000] ^= 1
    path.write_bytes(data)
    with pytest.raises(Corrupted, match="damaged in the export"):
        import_models(empty, path, quiet, plenty)
    assert empty.installed() == []


def test_damaged_volume_is_not_exported(full: tuple, tmp_path: Path) -> None:
    store, manifests = full
    path = store.folder("one") / "w.bin"
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(Corrupted, match="damaged"):
        export_models(store, manifests, tmp_path / "m.tar", quiet)


@pytest.mark.parametrize(
    ("name", "path"), [("one", "../../evil"), ("one", "/etc/evil"), ("../evil", "w.bin"), ("one", "a/../../evil")]
)
def test_export_that_leads_out_of_the_volume_is_refused(empty: Store, tmp_path: Path, name: str, path: str) -> None:
    file = stored("weights", path, b"evil")
    model = Model(name=name, task=Task.SPEECH_TO_TEXT, backend="x")
    tar(tmp_path / "evil.tar", Manifest(model=model, files=(file,)), b"evil")
    with pytest.raises(Corrupted):
        import_models(empty, tmp_path / "evil.tar", quiet, plenty)
    assert not list(tmp_path.rglob("evil"))


def test_file_of_another_kind_is_not_shown(empty: Store, tmp_path: Path) -> None:
    model = Model(name="one", task=Task.SPEECH_TO_TEXT, backend="whisper.cpp")
    tar(tmp_path / "m.tar", Manifest(model=model, files=(stored("weights", "w.bin", b"evil"),)), b"evil")
    with pytest.raises(Unsupported):
        import_models(empty, tmp_path / "m.tar", quiet, plenty)
    assert empty.installed() == []


def tar(path: Path, manifest: Manifest, data: bytes) -> None:
    index = msgspec.json.encode({"models": [manifest], "format": 1})
    with tarfile.open(path, "w") as box:
        for name, content in {"index.json": index, f"sha256/{manifest.files[0].sha256}": data}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            box.addfile(info, io.BytesIO(content))


def test_what_is_no_export_or_lacks_parts_is_told(full: tuple, empty: Store, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="does not exist"):
        import_models(empty, tmp_path / "nothing.tar", quiet, plenty)
    (tmp_path / "text.tar").write_bytes(b"hello")
    with pytest.raises(Corrupted):
        import_models(empty, tmp_path / "text.tar", quiet, plenty)
    parts = pack(full, tmp_path / "m.tar", 64_000)
    parts[2].unlink()
    with pytest.raises(Corrupted, match="parts of"):
        import_models(empty, parts[0], quiet, plenty)


def test_import_without_room_writes_nothing(full: tuple, empty: Store, tmp_path: Path) -> None:
    (path,) = pack(full, tmp_path / "models.tar")
    with pytest.raises(DiskFull, match="0 MB are free"):
        import_models(empty, path, quiet, lambda folder: 1000)
    assert empty.installed() == []


def test_second_import_writes_nothing(full: tuple, empty: Store, tmp_path: Path) -> None:
    (path,) = pack(full, tmp_path / "models.tar")
    import_models(empty, path, quiet, plenty)
    before = (empty.folder("one") / "w.bin").stat().st_ino
    assert import_models(empty, path, quiet, lambda folder: 0) == ["one", "two"]
    assert (empty.folder("one") / "w.bin").stat().st_ino == before


def test_linking_falls_back_to_copying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Path, target: Path) -> None:
        raise OSError("this filesystem has no hard links")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    (tmp_path / "a").write_bytes(VOICE)
    link_or_copy(tmp_path / "a", tmp_path / "b" / "c")
    assert (tmp_path / "b" / "c").read_bytes() == VOICE
