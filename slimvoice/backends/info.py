"""The descriptor of a backend: what is to know about it without importing its runtime.

A backend is a package with `BACKEND = BackendInfo(...)` in its `__init__.py`, named by an entry point of the group
`slimvoice.backends`. Every process of slimvoice imports descriptors: they import no runtime, and cost little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Literal

import msgspec

from slimvoice.backends.runtime import RuntimeSpec
from slimvoice.errors import Unsupported
from slimvoice.speech import Capabilities, Model, Task, Voice


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Where a backend's models can run, and how many jobs at once."""

    gpu: bool = False
    """On an NVIDIA GPU (`cuda:N`)."""
    vulkan: bool = False
    """On a GPU through Vulkan (`vulkan:N`)."""
    max_slots: int = 1
    """Jobs whose steps may run at once in one worker."""


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """A known input that every loaded model of a backend must get through; by default the engine's own."""

    clip: str = ""
    """`module:function` that returns speech (a Waveform at 16 kHz) that each of its models understands; empty: an
    English clip, in which words must be heard where the model knows English."""
    sentences: dict[str, str] = {}
    """Language -> a short sentence to speak, where figures would not do."""


class Repository(msgspec.Struct, frozen=True):
    """A hub repository whose model is looked for: `detect` reads first bytes, and trusts no name."""

    paths: Mapping[str, int]
    """Path -> bytes."""
    peek: Callable[[str, int], bytes]
    """Reads the first bytes of a file: a request to the hub each time, so look at few."""
    file: str = ""
    """The file that the user named; empty: any."""

    def named(self, *endings: str) -> list[str]:
        """Return the paths that end so; only the user's own choice where there is one."""
        paths = [self.file] if self.file else self.paths
        return [path for path in paths if path.endswith(endings)]


class DetectedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model found in a repository: (role, path) of its files, that which tells it from others first."""

    files: tuple[tuple[str, str], ...]
    preferred: bool = False
    """Taken where a repository holds several and the user named none; the first of them is."""


class IndexedVoice(msgspec.Struct, frozen=True, kw_only=True):
    """One voice of the list that a repository keeps of its voices."""

    size_bytes: int = 0
    """Bytes of its files."""
    speakers: tuple[Voice, ...] = ()
    """Its speakers in the order of their numbers; empty where there is only one."""


class Finding(msgspec.Struct, frozen=True):
    """What one check of `slimvoice doctor` found."""

    name: str
    state: Literal["ok", "warn", "fail"]
    message: str
    hint: str = ""


Detect = Callable[[Repository], Iterable[DetectedModel]]
Inspect = Callable[[Model, Mapping[str, str]], Model]
"""Model and files (role -> path) to the model with what they tell: languages, voices, `lacks`. Raises Unsupported
(`wrong_files`) when they are of another kind: a native runtime may abort on a wrong file."""
ReadIndex = Callable[[bytes], dict[str, IndexedVoice]]
"""Name of a variant -> what is said of it; raises Corrupted."""
Recipe = Callable[[Sequence[IO[bytes]], Path], Iterator[bytes]]
"""Makes a file of package members, with a folder for temporary files; raises ValueError, KeyError or struct.error."""
Check = Callable[[], Iterable[Finding]]


class BackendInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One backend: what its models can do, where they run, how their files are recognised, what it needs.

    Functions are named, as `module:function`, and imported when they are called: every command reads descriptors.
    """

    task: Task
    """What its models are for."""
    target: str
    """`module:Class` of the adapter, imported only inside a worker process."""
    capabilities: Capabilities
    """What its models can do; where they differ, what the most able can do."""
    capabilities_of: Callable[[Model], Capabilities] | None = None
    """What one model can do; None: all can do the same. Called for each listed model: looks at `model` only."""
    placement: Placement = Placement()

    # --- its runtime ---

    env: dict[str, str] = {}
    """Environment that a worker process of this backend is started with: read by its runtime at import."""
    install: str = ""
    """What to give to `pip install` where the runtime is missing, e.g. `slimvoice[cpu]`."""
    runtime: RuntimeSpec | None = None
    """Packages that are pulled with its first model; None: it needs none that slimvoice or an extra does not bring."""
    variants: str = ""
    """`module:Class` of its RuntimeVariants, where there may be several builds; imports no runtime."""
    licence: str = ""
    """Licence of the runtime (SPDX)."""
    window_s: float = 30.0
    """Longest audio that one step computes, in seconds."""
    gpu_faults: tuple[str, ...] = ()
    """What its runtime prints before it aborts on a fault of a GPU: such an abort leaves no other trace of the
    reason."""
    probe: Probe = Probe()
    checks: str = ""
    """Looks whether the runtime fits this machine, for `slimvoice doctor`: Check."""

    # --- its models ---

    detect: str = ""
    """Finds its models in a hub repository (`hf:OWNER/REPO`): Detect. Empty: it takes none straight from a hub."""
    takes: str = ""
    """The files that `detect` takes, in a few words for an error message."""
    inspect: str = ""
    """Checks pulled files and adds what they tell: Inspect."""
    read_index: str = ""
    """Reads the list of voices that a repository keeps (`index` in the catalog): ReadIndex."""
    recipes: dict[str, str] = {}
    """Name -> what rebuilds a pinned file from package members (`recipe` in the catalog): Recipe."""
    hidden: bool = False
    """Left out of `slimvoice doctor` and the documentation: for tests."""

    @property
    def is_pulled(self) -> bool:
        """Whether its runtime lies in the volume: pulled with its first model, and not installed by pip."""
        return self.runtime is not None and not self.runtime.installed_by_pip


def wrong_files(model: Model, why: str) -> Unsupported:
    """Return the error for files of another kind than the model's backend takes."""
    return Unsupported(f"{model.name} is no {model.backend} model: {why}", param="model")
