"""Schemathesis over the whole OpenAPI document: no 5xx, no status, header or body that is not in it.

Every check is on: what a schema cannot say is in tests/schemathesis_hooks.py. A bounded run; SLIMVOICE_FUZZ=200 makes
two hundred examples for each operation, and another seed each time.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from api_fakes import build, served

from slimvoice.keys import SCOPES, KeyStore

TIMEOUT_S = 600
HOOKS = Path(__file__).parents[1] / "schemathesis_hooks.py"
LONG = "SLIMVOICE_FUZZ" in os.environ
EXAMPLES = os.environ.get("SLIMVOICE_FUZZ", "4")


def test_the_server_is_what_its_schema_says(tmp_path):
    program = Path(sys.executable).with_name("schemathesis")
    app, _, _ = build(tmp_path, auth="on", open_lists=False)
    _, token = KeyStore(tmp_path / "home" / "keys").create("schemathesis", SCOPES)
    with served(app) as url:
        run = subprocess.run(
            [
                str(program), "run", f"{url}/openapi.json", "--no-color", "--header", f"Authorization: Bearer {token}",
                "--checks", "all", "--max-examples", EXAMPLES, *([] if LONG else ["--seed", "7"]),
                "--continue-on-failure", "--generation-database", "none",
            ],
            env=os.environ | {"SCHEMATHESIS_HOOKS": HOOKS.stem, "PYTHONPATH": str(HOOKS.parent)},
            cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-2_000:]
    operations = sum(len(path) for path in app.openapi()["paths"].values())
    assert f"Tested: {operations}" in run.stdout
