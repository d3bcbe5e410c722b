"""What deploys slimvoice is held to its own tools, where they are installed, and to what the README promises."""

import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
DOCKERFILES = [DOCKER / f"{kind}.Dockerfile" for kind in ("cpu", "cuda", "vulkan")]
COMPOSE_FILES = sorted(DOCKER.glob("compose*.yaml"))
DOCKER_COMPOSE = shutil.which("docker-compose")


def run(*command: str | Path, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=60, check=False, **options
    )


def stage(dockerfile: Path, name: str) -> str:
    match = re.search(rf"^FROM \S+ AS {name}\n(.*?)^FROM ", dockerfile.read_text(), re.MULTILINE | re.DOTALL)
    assert match, f"{dockerfile.name} has no stage {name}"
    return match[1]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_dockerfile_asks_no_registry_for_its_own_syntax(path):
    assert "# syntax=" not in path.read_text()


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_files_that_a_dockerfile_copies_are_there_and_not_ignored(path):
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", path.read_text(), re.MULTILINE):
        for source in line.split():
            assert (ROOT / source).exists(), source
            assert source == "." or any(source == keep or source.startswith(keep + "/") for keep in kept), source


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_image_runs_as_a_user_and_checks_its_health_without_a_shell(path):
    text = path.read_text()
    assert "\nUSER 10001:10001\n" in text
    assert re.search(r'^HEALTHCHECK .*\\\n +CMD \["python", "-ISc"', text, re.MULTILINE)
    assert '\nENTRYPOINT ["slimvoice"]\n' in text


@pytest.mark.parametrize("name", ["compiler", "whisper", "ffmpeg-source", "app"])
def test_images_share_the_stages_that_they_have_in_common(name):
    assert len({stage(path, name) for path in DOCKERFILES}) == 1


@pytest.mark.parametrize("path", sorted((DOCKER / "steps").glob("*.txt")), ids=lambda path: path.name)
def test_what_a_build_fetches_is_pinned_by_hash(path):
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    assert lines
    assert all(re.fullmatch(r"[a-z0-9.-]+==[0-9.]+ --hash=sha256:[0-9a-f]{64}", line) for line in lines)


@pytest.mark.parametrize("path", COMPOSE_FILES, ids=lambda path: path.name)
def test_compose_runs_slimvoice_with_no_more_rights_than_it_needs(path):
    service = yaml.safe_load(path.read_text())["services"]["slimvoice"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    published = service.get("ports", [])
    assert all(port.startswith("${SLIMVOICE_BIND:-127.0.0.1}:") for port in published)
    assert service["environment"].get("SLIMVOICE_AUTH") != "off" or not published


@pytest.mark.skipif(DOCKER_COMPOSE is None, reason="docker-compose is not installed")
@pytest.mark.parametrize("path", COMPOSE_FILES, ids=lambda path: path.name)
def test_compose_accepts_its_file(path):
    checked = run(DOCKER_COMPOSE, "-f", path, "config", "--quiet")
    assert checked.returncode == 0, checked.stderr


@pytest.mark.skipif(shutil.which("caddy") is None, reason="caddy is not installed")
def test_caddy_accepts_its_file(tmp_path):
    checked = run(
        "caddy", "validate", "--adapter", "caddyfile", "--config", DOCKER / "Caddyfile", env={"HOME": str(tmp_path)}
    )
    assert checked.returncode == 0, checked.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_service_is_valid_and_confined(tmp_path):
    unit = tmp_path / "slimvoice.service"
    text = (DOCKER / "slimvoice.service").read_text()
    unit.write_text(text.replace("/opt/slimvoice/bin/slimvoice", sys.executable))
    verified = run("systemd-analyze", "verify", "--man=no", unit)
    assert verified.returncode == 0, verified.stderr
    rated = run("systemd-analyze", "security", "--offline=true", "--threshold=20", unit)
    assert rated.returncode == 0, rated.stdout


def test_bill_of_materials_marks_copyleft(tmp_path):
    for name, licence in (("speaker", "GPL-3.0-or-later"), ("codec", "LGPL-2.1-or-later"), ("tool", "MIT")):
        folder = tmp_path / f"site/{name}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\nLicense-Expression: {licence}\n")
    done = run(sys.executable, DOCKER / "steps/sbom", tmp_path / "site", "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    bom = json.loads((tmp_path / "out/sbom.cdx.json").read_text())
    marks = {part["name"]: part["properties"][1]["value"] for part in bom["components"]}
    assert marks == {"speaker": "GPL", "codec": "LGPL", "tool": "no"}
    assert {part["purl"] for part in bom["components"]} >= {"pkg:pypi/tool@1.0"}


def saved_image(path: Path, size: int) -> Path:
    """Write what `docker save` writes of an image with one layer that holds one file of `size` bytes."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        entry = tarfile.TarInfo("opt/weight")
        entry.size = size
        tar.addfile(entry, io.BytesIO(bytes(size)))
    parts = {
        "layer.tar": layer.getvalue(),
        "config.json": json.dumps({"history": [{"created_by": "COPY / /"}]}).encode(),
        "manifest.json": json.dumps([{"Config": "config.json", "Layers": ["layer.tar"]}]).encode(),
    }
    with tarfile.open(path, "w") as tar:
        for name, content in parts.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


@pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd is not installed")
@pytest.mark.parametrize(("megabytes", "fits"), [(1, True), (351, False)])
def test_image_size_fails_above_the_budget(tmp_path, megabytes, fits):
    archive = saved_image(tmp_path / "image.tar", megabytes * 10**6)
    weighed = run(sys.executable, ROOT / "scripts/image-size", archive, "--budget", "cpu")
    assert (weighed.returncode == 0) is fits, weighed.stdout + weighed.stderr
    assert f"{megabytes:.1f}" in weighed.stdout
    assert "opt/weight" in weighed.stdout


def test_build_image_says_which_images_there_are():
    refused = run(ROOT / "scripts/build-image", "toaster")
    assert refused.returncode == 2
    assert "cpu|cuda|vulkan" in refused.stderr


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no clone")
def test_ci_builds_no_image_when_nothing_that_goes_into_it_changed():
    done = run(ROOT / "scripts/image-ci", "HEAD")
    assert done.returncode == 0, done.stderr
    assert "nothing that goes into it changed since HEAD" in done.stdout


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no clone")
def test_what_an_image_is_built_from_is_in_the_repository():
    known = run("git", "-C", ROOT, "ls-files", "docker").stdout.split()
    on_disk = {str(path.relative_to(ROOT)) for path in DOCKER.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert on_disk == set(known)
