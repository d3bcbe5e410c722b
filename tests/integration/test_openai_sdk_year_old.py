"""The tests of the openai SDK once more, under the SDK that was a year old when 3.52.0 was new."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from cache import package_folder

REPOSITORY = Path(__file__).parents[2]
TESTS = Path(__file__).with_name("test_openai_sdk.py")
RUN = "import sys, pytest; code = pytest.main(sys.argv[1:]); print(sys.modules['openai'].VERSION); sys.exit(code)"


def test_everything_that_holds_for_the_sdk_holds_for_the_one_a_year_older():
    old = package_folder(REPOSITORY / "requirements" / "openai-year-old.lock")
    run = subprocess.run(
        [sys.executable, "-c", RUN, str(TESTS), "--quiet", "-p", "no:cacheprovider"],
        env=os.environ | {"PYTHONPATH": str(old)},
        cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-5_000:]
    assert run.stdout.endswith("\n2.8.1\n")
    passed = re.search(r"(\d+) passed", run.stdout)
    assert passed is not None
    assert int(passed[1]) > 60
