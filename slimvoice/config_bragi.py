"""A Bragi configuration read as slimvoice's: what has an equal here is mapped, the rest is said in a note. Pure.

Bragi's file has `device`, `models: {name: {repo: ...}}`, `voices`, `model_cache_dir`, `model_ttl`, `hf_token`; its
environment variables are the same names behind `BRAGI_`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

PREFIX = "BRAGI_"
FILE_VARIABLE = "BRAGI_CONFIG"

Mapped = tuple[dict[str, Any], list[str]]
"""Settings of slimvoice, and notes on what was mapped and what was not."""


def is_bragi(raw: Mapping[str, Any]) -> bool:
    """Whether this is a Bragi file: slimvoice's own has no `models`, nor any of Bragi's other names."""
    return bool(raw.keys() & {"models", "model_cache_dir", "model_ttl", "hf_token", "voice_store_dir"})


def from_file(raw: Mapping[str, Any]) -> Mapped:
    """Map the contents of a Bragi file."""
    return _map(raw, lambda key: key)


def from_environment(environ: Mapping[str, str]) -> Mapped:
    """Map the variables that begin with BRAGI_."""
    raw = {
        key.removeprefix(PREFIX).lower(): value for key, value in environ.items() if key.startswith(PREFIX) and value
    }
    raw.pop("config", None)
    return _map(raw, lambda key: PREFIX + key.upper())


def _map(raw: Mapping[str, Any], label: Callable[[str], str]) -> Mapped:
    settings: dict[str, Any] = {}
    notes: list[str] = []
    for key, value in raw.items():
        if key == "models":
            found, remarks = _models(value)
        elif key in _MAPPINGS:
            found, remarks = _MAPPINGS[key](value), []
        else:
            found, remarks = {}, [f"{label(key)} of Bragi is not used: {_UNUSED.get(key, 'slimvoice has no equal')}"]
        settings |= found
        notes += [f"{label(key)} of Bragi is read as {name}={shown}" for name, shown in found.items()] + remarks
    return settings, notes


def _models(value: Any) -> Mapped:
    if not isinstance(value, Mapping):
        return {}, ["models of Bragi is not used: it is not a mapping"]
    settings: dict[str, Any] = {}
    notes: list[str] = []
    repos: list[str] = []
    for name, model in value.items():
        repo = str(model.get("repo", "")) if isinstance(model, Mapping) else ""
        if not repo:
            notes.append(f"model {name} of Bragi is not used: it names no repo")
            continue
        repos.append(repo)
        setting = _default_of(str(name))
        if setting and setting not in settings:
            settings[setting] = repo
        else:
            notes.append(f"model {name} of Bragi is not a name here: ask for {repo}")
    if repos:
        settings["pull"] = ",".join(repos)
    return settings, notes


def _default_of(name: str) -> str:
    """Return the setting that stands behind one of OpenAI's names."""
    if name.startswith("whisper-") or "transcribe" in name:
        return "default_stt"
    return "default_tts" if name.startswith("tts-") or name.endswith("-tts") else ""


def _keep_alive(value: Any) -> dict[str, Any]:
    return {"keep_alive": "-1" if str(value) == "0" else str(value)}  # Bragi's 0 means never to unload


def _device(value: Any) -> dict[str, Any]:
    return {"device": "auto" if str(value) == "mps" else str(value)}


def _max_upload(value: Any) -> dict[str, Any]:
    digits = str(value).casefold().removesuffix("b").removesuffix("m").strip()
    return {"max_upload_mb": digits}


_MAPPINGS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "host": lambda value: {"host": value},
    "port": lambda value: {"port": value},
    "device": _device,
    "model_ttl": _keep_alive,
    "log_level": lambda value: {"log_level": "warning" if str(value) == "warn" else str(value)},
    "max_file_size": _max_upload,
    "api_key": lambda _value: {"auth": "on"},  # the key itself is not taken over, nor shown
}

_UNUSED = {
    "hf_token": "set HF_TOKEN instead",
    "model_cache_dir": "models lie under SLIMVOICE_HOME, and are pulled anew",
    "voice_store_dir": "voices lie with their model",
    "key_store_dir": "keys lie under SLIMVOICE_HOME; make them with slimvoice keys create",
    "voices": "OpenAI's voice names are mapped by slimvoice, and every local voice has its own name",
    "workers": "each loaded model has a process of its own",
}
