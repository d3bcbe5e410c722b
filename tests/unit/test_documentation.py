"""The documentation tells everything there is, and nothing that is not there."""

import os
import re
import runpy
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer
import yaml

from slimvoice import config_sources, errors
from slimvoice.api.errors import TABLE
from slimvoice.app import App, build
from slimvoice.backends.registry import BACKENDS
from slimvoice.config import Settings, described
from slimvoice.models.catalog import Catalog

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINKED = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "benchmarks" / "RESULTS.md"]
"""Pages that only their links are looked at of: what they name may be gone by now."""
TEXT = "\n".join(page.read_text() for page in PAGES)
SCRIPTS = sorted(path for path in (ROOT / "scripts").iterdir() if os.access(path, os.X_OK))
OTHER_VARIABLES = config_sources.OTHER_VARIABLES | {
    "SLIMVOICE_TEST_HOME",
    "SLIMVOICE_TEST_MIRROR",
    "SLIMVOICE_TEST_SPEECH",
}
"""Variables of the scripts and the tests."""
COMPOSE_VARIABLES = {
    name
    for file in (ROOT / "docker").glob("compose*.yaml")
    for name in re.findall(r"\$\{(SLIMVOICE_[A-Z_]+)", file.read_text())
}


def shell_lines() -> list[str]:
    """Return the commands in the fenced shell blocks, continued lines joined and prompts removed."""
    blocks = re.findall(r"```(?:sh|bash|console|shell)\n(.*?)```", TEXT, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [re.sub(r"\s+#.*", "", line.strip().removeprefix("$ ")) for line in lines if line.strip()]


def command_tree(command: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    tree = {path: command}
    for name, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            tree |= command_tree(child, (*path, name))
    return tree


def without_global_options(words: list[str], root: Any) -> list[str]:
    flags = {option: getattr(parameter, "is_flag", False) for parameter in root.params for option in parameter.opts}
    while words and words[0].split("=")[0] in flags:
        takes_next = not flags[words[0].split("=")[0]] and "=" not in words[0]
        words = words[1 + takes_next :]
    return words


@pytest.fixture(scope="module")
def commands() -> dict[tuple[str, ...], Any]:
    from slimvoice.cli.root import app

    return command_tree(typer.main.get_command(app))


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> App:
    return build(Settings(home=tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def paths(server) -> dict[str, dict]:
    return server.http.openapi()["paths"]


@pytest.fixture(scope="module")
def metrics(server) -> set[str]:
    server.http.build_middleware_stack()  # otherwise made with the first request
    registry = server.registry
    return {metric.name + ("_total" if metric.type == "counter" else "") for metric in registry.collect()}


@pytest.mark.parametrize(("name", "description"), described().items())
def test_setting_is_documented_in_its_own_words(name, description):
    assert description
    assert re.search(rf"`SLIMVOICE_{name.upper()}`.*{re.escape(description)}", TEXT)


def test_variables_that_the_docs_name_exist():
    named = set(re.findall(r"\bSLIMVOICE_[A-Z][A-Z_]*[A-Z]\b", TEXT))
    settings = {f"SLIMVOICE_{name.upper()}" for name in Settings.__struct_fields__}
    assert named - settings - OTHER_VARIABLES - COMPOSE_VARIABLES == set()


def test_every_command_is_documented(commands):
    missing = [" ".join(path) for path in commands if path and f"slimvoice {' '.join(path)}" not in TEXT]
    assert missing == []


def test_commands_in_the_docs_exist_with_their_options(commands):
    for line in shell_lines():
        for match in re.finditer(r"(?:^|[|;&] *|\$\()(?:[A-Z_]+=\S+ )*slimvoice( [^|;&)]*)?", line):
            words = without_global_options((match[1] or "").split(), commands[()])
            path: tuple[str, ...] = ()
            while words and (*path, words[0]) in commands:
                path = (*path, words.pop(0))
            command = commands[path]
            assert path or not words or words[0].startswith("-"), line
            options = {option for parameter in command.params for option in parameter.opts + parameter.secondary_opts}
            used = {word.split("=")[0] for word in words if re.fullmatch(r"-\w|--[\w-]+(=.*)?", word)}
            assert used <= options | {"--help", "--version"}, line


def test_every_route_is_documented(paths):
    missing = [
        f"{method.upper()} {path}"
        for path, methods in paths.items()
        for method in methods
        if not re.search(rf"\b{method.upper()}\b.*{re.escape(path)}(?![\w/{{])", TEXT)
    ]
    assert missing == []


def test_addresses_that_the_docs_call_exist(paths):
    shapes = [re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path)) + r"/?$") for path in paths]
    called = {
        match.rstrip(".")
        for line in shell_lines()
        for match in re.findall(r"(?:127\.0\.0\.1|localhost):8000(/[\w./:-]+)", line)
    }
    unknown = {path for path in called if not any(shape.match(path) for shape in shapes)}
    assert unknown - {"/v1", "/docs", "/metrics", "/openapi.json"} == set()


@pytest.mark.parametrize("name", [name for name, info in BACKENDS.items() if not info.hidden])
def test_backend_is_documented(name):
    assert f"`{name}`" in TEXT


@pytest.mark.parametrize(
    "family",
    sorted({name.split(":")[0] for name in Catalog.load().entries}),
)
def test_catalog_family_is_documented(family):
    assert re.search(rf"`{family}(:[^`]*)?`", TEXT)


def test_every_metric_is_documented(metrics):
    assert len(metrics) > 10
    assert {name for name in metrics if f"`{name}`" not in TEXT} == set()


def test_metrics_that_the_docs_name_exist(metrics):
    series = {name + suffix for name in metrics for suffix in ("", "_bucket", "_sum", "_count")}
    assert set(re.findall(r"\bslimvoice_[a-z_]*[a-z]\b", TEXT)) - series == set()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_has_its_line_in_the_table_of_scripts(script):
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    assert re.search(rf"^\| `scripts/{script.name}` \| \w.* \|$", contributing, re.MULTILINE)


@pytest.mark.parametrize(
    "error",
    [error for error in TABLE if error not in {errors.SlimvoiceError, errors.Cancelled}],  # no client is told
    ids=lambda error: error.code,
)
def test_every_error_is_documented_with_its_status_and_whether_to_try_again(error):
    rows = re.findall(
        rf"^\| {TABLE[error].status} \|.*`{error.code}`.*\|$", (ROOT / "docs/api.md").read_text(), re.MULTILINE
    )
    assert len(rows) == 1
    assert rows[0].split("|")[-2].strip().startswith("yes" if error.retryable else "no")


def test_generated_parts_are_what_the_program_says():
    assert runpy.run_path(str(ROOT / "docs" / "generate.py"))["stale_pages"]() == {}


def test_files_that_the_architecture_names_exist():
    text = (ROOT / "docs" / "architecture.md").read_text()
    code = text[text.index("```\nslimvoice/") : text.index("\nmodels.yaml ")]
    mapped = {name for line in code.splitlines()[2:] for name in re.findall(r"(?<!\S)([a-z_]+(?:\.py|/))(?!\S)", line)}
    assert len(mapped) > 50
    there = {path.name + "/" * path.is_dir() for path in (ROOT / "slimvoice").rglob("*")}
    assert mapped - there == set()
    told = set(re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py)`", text))
    assert {path for path in told if not ((ROOT / "slimvoice" / path).exists() or (ROOT / path).exists())} == set()


def test_hosted_ci_runs_what_ci_runs_everywhere():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    assert any(step.get("run") == ".ci/run" for step in workflow["jobs"]["run"]["steps"])


def table_rows(text: str) -> list[list[str]]:
    """Return the cells of each row of the Markdown tables in a text, header lines included."""
    lines = [
        line.strip() for line in text.splitlines() if line.startswith("|") and not line.startswith(("|---", "| ---"))
    ]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def measured(date: str) -> dict[tuple[str, str], list[float]]:
    """Return what RESULTS.md tells of that day's run: the values of each (measure, subject)."""
    run = (ROOT / "benchmarks/RESULTS.md").read_text().split(f"\n## {date}")[1].split("\n## ")[0]
    found: dict[tuple[str, str], list[float]] = {}
    subjects: list[str] = []
    for measure, _unit, *cells in (row for row in table_rows(run) if len(row) > 2):
        if measure == "measure":
            subjects = cells
            continue
        for subject, cell in zip(subjects, cells, strict=False):
            if re.fullmatch(r"[\d.]+", cell):
                found.setdefault((measure, subject), []).append(float(cell))
    return found


SUBJECTS = {
    "slimvoice": "slimvoice",
    "faster-whisper": "faster-whisper",
    "whisper.cpp": "whisper.cpp server",
    "moonshine-voice": "moonshine-voice (tiny-en)",
    "kokoro-onnx": "kokoro-onnx",
}
MEASURES = [["3 s: wall"], ["11 s: wall"], ["60 s: wall"], ["60 words: first audio", "60 words: wall"]]


def test_speeds_in_the_readme_are_those_that_were_measured():
    readme = (ROOT / "README.md").read_text()
    date = re.search(r"Measured by `scripts/bench`, ([\d-]+)", readme)
    assert date
    known = measured(date[1])
    checked = 0
    for name, *cells in table_rows(readme):
        for measures, cell in zip(MEASURES, cells[3:], strict=False):
            if "²" not in cell:
                continue
            subject = SUBJECTS[re.match(r"[\w.-]+?(?=['*, ]|$)", name.strip("*"))[0]]
            for measure, figure in zip(measures, re.findall(r"\d+\.\d+", cell), strict=True):
                digits = len(figure.split(".")[1])
                assert float(figure) in {round(value, digits) for value in known[measure, subject]}, (name, measure)
                checked += 1
    assert checked >= 16


def test_sizes_in_the_readme_are_those_of_the_images():
    sizes = {
        row[0]: [float(re.match(r"\d+", cell)[0]) for cell in row[1:3]]
        for row in table_rows((ROOT / "docs/docker.md").read_text())
        if row[0].startswith("`slimvoice:")
    }
    ours = next(row for row in table_rows((ROOT / "README.md").read_text()) if row[0] == "**slimvoice**")
    for image, cell in zip(("`slimvoice:cuda`", "`slimvoice:cpu`"), ours[2:4], strict=True):
        assert [float(figure) for figure in re.findall(r"\d+\.\d+", cell)] == [
            round(size / 1000, 2) for size in sizes[image]
        ]


def test_readme_is_read_in_a_few_minutes():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 160


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.name)
def test_readme_leads_to_every_page(page):
    assert f"({page.relative_to(ROOT)})" in (ROOT / "README.md").read_text()


def test_scripts_that_the_docs_name_exist():
    named = set(re.findall(r"\bscripts/([a-z][a-z-]*)", TEXT))
    assert named - {path.name for path in (ROOT / "scripts").iterdir()} == set()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_says_what_it_does(script):
    lines = script.read_text().splitlines()
    assert lines[0].startswith("#!/usr/bin/env ")
    assert re.match(r'# \w|"""\w', lines[1])
    if "bash" in lines[0]:
        subprocess.run(["bash", "-n", str(script)], check=True)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.casefold()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", page.read_text())
    lost = []
    for target in targets:
        path, _, anchor = unquote(target).partition("#")
        there = page.parent / path if path else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            lost.append(target)
    assert lost == []
