"""Start of a worker whose runtime is apart: it sees the standard library, that runtime, and of ours what it must.

Run as a script by `python -I -S`: `apart_main.py SITE HOMES FD NAME`, where HOMES is JSON, top-level package -> the
folder it lies in. Until the path is set up, nothing but the standard library can be imported here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


class OwnPackages:
    """Finds the few packages that a worker takes from the server's Python, and nothing that lies beside them."""

    def __init__(self, homes: Mapping[str, str]) -> None:
        self._homes = homes

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find one of them in its own folder; what is inside a package is found by the package's path."""
        if path is not None or fullname not in self._homes:
            return None
        return PathFinder.find_spec(fullname, [self._homes[fullname]], target)


if __name__ == "__main__":
    import json

    sys.path.append(sys.argv[1])
    sys.meta_path.insert(0, OwnPackages(json.loads(sys.argv[2])))
    from slimvoice.engine.worker_main import run

    run(int(sys.argv[3]))
