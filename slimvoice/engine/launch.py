"""How a worker process is started: Python's options, its path, its environment."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from slimvoice.backends.registry import BACKENDS
from slimvoice.engine import apart_main
from slimvoice.speech import LoadSpec

WORKER_ENV = {
    "HF_HUB_OFFLINE": "1",  # a worker never downloads
    "MALLOC_ARENA_MAX": "2",  # glibc keeps an arena per thread otherwise, and gives none back
    "PYTHONUNBUFFERED": "1",
}
OWN_NEEDS = ("slimvoice", "msgspec")
"""Top-level packages that every worker imports."""


def command(spec: LoadSpec, fd: int) -> Sequence[str]:
    """Return the command of a worker that talks over the socket `fd`."""
    last, runtime = (str(fd), spec.installed.model.name), spec.installed.runtime
    if runtime is None or runtime.kind == "beside":
        # -P: what lies in the server's working directory must not pass for a module
        return (sys.executable, "-P", "-X", "faulthandler", "-m", "slimvoice.engine.worker_main", *last)
    backend = spec.target.partition(":")[0].partition(".")[0]
    homes = json.dumps({name: home for name in (*OWN_NEEDS, backend) if (home := _home_of(name))})
    # -I, -S: neither PYTHONPATH nor site-packages; -u is PYTHONUNBUFFERED, which -I does not read
    start = (sys.executable, "-I", "-S", "-u", "-X", "faulthandler", apart_main.__file__)
    return (*start, runtime.site, homes, *last)


def environment(spec: LoadSpec) -> dict[str, str]:
    """Return the environment of a worker: the server's, ours, and what its runtime reads at import."""
    own = {**os.environ, **WORKER_ENV, **BACKENDS.require(spec.installed.model.backend).env}
    if spec.installed.runtime is not None:  # nobody has compiled it yet; an image, whose own packages are, sets this
        own.pop("PYTHONDONTWRITEBYTECODE", None)
    return own


def _home_of(package: str) -> str:
    """Return the folder that a top-level package or module lies in; empty where there is none."""
    found = find_spec(package)
    if found is None:
        return ""
    inside = next(iter(found.submodule_search_locations or ()), found.origin)
    return str(Path(inside).parent) if inside else ""
