"""The backends by name: the class that implements each, and its capabilities. Importing this imports no runtime."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import cast

import msgspec

from slimvoice.backends.base import Backend, RuntimeVariants
from slimvoice.backends.runtime import RuntimeSpec
from slimvoice.errors import ModelLoad
from slimvoice.speech import Capabilities, Model


class BackendInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One backend: `target` is `module:Class`, imported only inside a worker process."""

    target: str
    capabilities: Capabilities
    env: dict[str, str] = {}
    """Environment that a worker process of this backend is started with: read by its runtime at import."""
    variants: str = ""
    """`module:Class` of its RuntimeVariants, where there may be several builds; imports no runtime."""
    runtime: RuntimeSpec | None = None
    """Packages that are pulled with its first model; None: it needs none that slimvoice or an extra does not bring."""


# Threads that spin for long cost a third more CPU when cores are busy; those that sleep at once wake too late for the
# next of a decoder's many small products, which costs a third more time. GNU's count is some microseconds; only where
# the policy is active does it also hold once the slots' threads together outnumber the cores (libgomp's env.c).
_OPENMP_ENV = (
    {"OMP_WAIT_POLICY": "active", "GOMP_SPINCOUNT": "1000"}
    if sys.platform == "linux"
    else {"OMP_WAIT_POLICY": "passive"}
)
_ONNX_RUNTIME_ENV = {"ORT_DISABLE_TELEMETRY": "1"}  # it phones home on Linux too since 1.31

BACKENDS: dict[str, BackendInfo] = {
    "whisper.cpp": BackendInfo(
        target="slimvoice.backends.whisper_cpp.adapter:WhisperCpp",
        capabilities=Capabilities(
            translate=True,
            detect_language=True,
            word_timestamps=True,
            logprobs=True,
            prompt=True,
            gpu=True,
            vulkan=True,
            max_slots=8,
        ),
        env=_OPENMP_ENV,
        variants="slimvoice.backends.stt.variants:WhisperVariants",
    ),
    "kokoro": BackendInfo(
        target="slimvoice.backends.kokoro.adapter:Kokoro",
        capabilities=Capabilities(voice_mixing=True, word_timestamps=True, gpu=True, max_slots=4),
        env=_ONNX_RUNTIME_ENV,
    ),
    "piper": BackendInfo(
        target="slimvoice.backends.piper.adapter:Piper",
        capabilities=Capabilities(word_timestamps=True, gpu=True, max_slots=4),
        env=_ONNX_RUNTIME_ENV,
    ),
    "fake-stt": BackendInfo(
        target="slimvoice.backends.fake:FakeSpeechToText",
        capabilities=Capabilities(
            translate=True,
            detect_language=True,
            word_timestamps=True,
            logprobs=True,
            prompt=True,
            max_slots=8,
        ),
        variants="slimvoice.backends.fake:FakeVariants",
    ),
    "fake-tts": BackendInfo(
        target="slimvoice.backends.fake:FakeTextToSpeech",
        capabilities=Capabilities(voice_mixing=True, word_timestamps=True, max_slots=4),
    ),
}


def capabilities_of(model: Model) -> Capabilities:
    """Return what `model` can do: its backend's capabilities, narrowed by the model's languages."""
    info = BACKENDS.get(model.backend)
    if info is None:  # a user's models.yaml may name what is not installed
        return Capabilities()
    if model.languages == ("en",):  # whisper's English-only models neither translate nor detect
        return msgspec.structs.replace(info.capabilities, translate=False, detect_language=False)
    return info.capabilities


def runtime_variants(name: str) -> type[RuntimeVariants] | None:
    """Return the builds of a backend's runtime; None: there is only ever one."""
    target = BACKENDS[name].variants
    return cast(type[RuntimeVariants], _named(target)) if target else None


def backend_class(name: str, target: str = "") -> type[Backend]:
    """Import a backend's class; only worker processes call this. Raises ModelLoad when its extra is missing.

    `target` is `module:Class`, where the caller knows it: an environment apart sees no registry of plug-ins.
    """
    try:
        return cast(type[Backend], _named(target or BACKENDS[name].target))
    except ImportError as error:
        from slimvoice.hardware import install_hint

        raise ModelLoad(
            f"the runtime of backend {name!r} is not installed: {error}",
            hint=install_hint(),
        ) from error


def _named(target: str) -> object:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)
