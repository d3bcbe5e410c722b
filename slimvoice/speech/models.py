"""Models, their voices and what they can do; what a worker is told to load."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

import msgspec

LOCAL = "local"
"""The provider of models that run on this machine."""


class Task(StrEnum):
    """What a model is for."""

    SPEECH_TO_TEXT = "speech-to-text"
    TEXT_TO_SPEECH = "text-to-speech"


class Voice(msgspec.Struct, frozen=True, kw_only=True):
    """One voice of a text-to-speech model; `language` is a BCP 47 tag such as `en-US`."""

    id: str
    language: str
    name: str = ""
    gender: Literal["female", "male", ""] = ""
    note: str = ""
    """What it does not do well, in a sentence for people; empty: nothing is known."""
    aliases: tuple[str, ...] = ()
    """Other names that mean this voice, such as OpenAI's `alloy`."""


class Capabilities(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a model can do, as data: callers branch on these and never on a backend's name."""

    translate: bool = False
    """Turns speech in another language into English text."""
    detect_language: bool = False
    """Finds out by itself which language is spoken."""
    word_timestamps: bool = False
    """Tells when each word begins and ends."""
    logprobs: bool = False
    """Tells how likely each token of a transcript was."""
    prompt: bool = False
    """Heeds text that comes before, or words to expect."""
    diarization: bool = False
    """Tells speakers apart."""
    instructions: bool = False
    """Heeds a description of how to speak."""
    voice_mixing: bool = False
    """Speaks with a mix of its voices."""
    streaming: bool = False
    """Transcribes while audio is still arriving."""


class Model(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A model as its provider describes it, files or not."""

    name: str
    task: Task
    backend: str = ""
    """The adapter that runs it; empty: another provider does."""
    provider: str = LOCAL
    """Who serves it."""
    capabilities: Capabilities = Capabilities()
    """What it can do. The model library fills them in whenever it describes a model; a manifest has none."""
    licence: str = ""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes the model knows, or speaks well; empty: unknown."""
    voices: tuple[Voice, ...] = ()
    default_voice: str = ""
    aliases: tuple[str, ...] = ()
    description: str = ""
    size_bytes: int = 0
    """Bytes to download; 0: not known before asking the hub."""
    memory_bytes: int = 0
    """Resident bytes once loaded, as measured or estimated; 0: unknown."""
    settings: dict[str, Any] = {}
    """Defaults for the backend, e.g. {"beam_size": 5}."""
    lacks: tuple[str, ...] = ()
    """Names of Capabilities that its files lack though others of its backend have them, as a pull found."""
    created: int = 0
    """Unix time at which it came here, or was made; 0: unknown."""
    fingerprint: str = ""
    """What changes whenever the model, its settings or its files do; empty: nobody can tell."""

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine."""
        return self.provider == LOCAL


class InstalledRuntime(msgspec.Struct, frozen=True, kw_only=True):
    """Packages of the volume that a backend's workers need: `beside` ours on their path, or `apart` from them."""

    name: str
    version: str
    kind: Literal["beside", "apart"]
    site: str
    """The folder that is to be on the path."""


class InstalledModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model whose files are on this machine; `files` maps a role (`weights`, `config`, `voices`) to a path."""

    model: Model
    files: dict[str, str]
    runtime: InstalledRuntime | None = None
    """What its workers need on their path; None: nothing."""


class LoadSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker process is told to load."""

    installed: InstalledModel
    target: str = ""
    """The backend's `module:Class`; empty: as the registry says."""
    device: str = "cpu"
    """`cpu` or `cuda:N`."""
    threads: int = 1
    """Cores this worker may use, all slots together."""
    slots: int = 1
    variant: str = ""
    """Which build of its runtime to load, where the best one crashes on this processor; "": the best."""
