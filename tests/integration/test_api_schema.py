"""Schemathesis over the whole OpenAPI document: no 5xx, no status, header or body that is not in it.

A bounded run; for a long one: schemathesis run URL/openapi.json -H "Authorization: Bearer KEY" --max-examples 200
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from api_fakes import build, served

from slimvoice.keys import SCOPES, KeyStore

TIMEOUT_S = 600


def test_the_server_is_what_its_schema_says(tmp_path):
    program = Path(sys.executable).with_name("schemathesis")
    if not program.exists():
        pytest.skip("schemathesis is not installed")
    app, _, _ = build(tmp_path, auth="on", open_lists=False)
    _, token = KeyStore(tmp_path / "home" / "keys").create("schemathesis", SCOPES)
    with served(app) as url:
        run = subprocess.run(
            [
                str(program), "run", f"{url}/openapi.json", "--no-color", "--header", f"Authorization: Bearer {token}",
                "--checks", "all",
                # What a schema cannot say (audio that decodes, a model that is here) is refused all the same.
                "--exclude-checks", "positive_data_acceptance",
                "--max-examples", "4", "--seed", "7", "--continue-on-failure", "--generation-database", "none",
            ],
            cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
    assert run.returncode == 0, run.stdout[-20_000:]
