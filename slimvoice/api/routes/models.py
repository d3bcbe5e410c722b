"""GET /v1/models, /v1/models/{id}, /v1/audio/models, /v1/audio/voices."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Depends, Query

from slimvoice.api.context import ApiContext
from slimvoice.api.schemas.openapi import ERRORS
from slimvoice.api.schemas.responses import AudioModelList, ModelList, ModelObject, VoiceList, VoiceObject
from slimvoice.speech import InstalledModel, Model, Task, Voice

Responses = dict[int | str, dict[str, Any]]
LIST_ERRORS: Responses = {status: ERRORS[status] for status in (400, 401, 403, 404, 429, 500)}


def routes(api: ApiContext) -> APIRouter:
    """Return the read-only lists."""
    router = APIRouter(prefix="/v1", tags=["models"], dependencies=[Depends(api.gate.lists())], responses=LIST_ERRORS)

    @router.get("/models")
    def list_models() -> ModelList:
        """List the models on this machine."""
        return ModelList(data=_installed(api, ""))

    @router.get("/models/{name:path}")
    def get_model(name: str) -> ModelObject:
        """Describe a model on this machine by its name or an alias; the id is what was asked for."""
        installed = api.library.require(name)
        return _described(installed.model, installed).model_copy(update={"id": name})

    @router.get("/audio/models")
    def list_audio_models(
        task: Literal["", "speech-to-text", "text-to-speech"] = Query("", description="Only these; empty: both."),
        all: bool = Query(False, description="The whole catalog, not only what is on this machine."),
    ) -> AudioModelList:
        """List models by task, in OpenAI's shape and in Open WebUI's."""
        data = _catalog(api, task) if all else _installed(api, task)
        return AudioModelList(data=data, models=data)

    @router.get("/audio/voices")
    def list_voices(
        model: str = Query("", description="Name of a model; empty: every installed one."),
    ) -> VoiceList:
        """List the voices, the default model's first."""
        return VoiceList(
            voices=[_voice(voice, owner.name) for owner in _speakers(api, model) for voice in owner.voices]
        )

    return router


def _installed(api: ApiContext, task: str) -> list[ModelObject]:
    wanted = _task(task)
    found = [item for item in api.library.installed() if wanted in {None, item.model.task}]
    return [_described(item.model, item) for item in found]


def _catalog(api: ApiContext, task: str) -> list[ModelObject]:
    wanted = _task(task)
    here = {item.model.name: item for item in api.library.installed()}
    models = [model for model in api.library.models() if wanted in {None, model.task}]
    return [_described(model, here.get(model.name)) for model in models]


def _task(text: str) -> Task | None:
    return Task(text) if text else None


def _speakers(api: ApiContext, name: str) -> list[Model]:
    """Return the models whose voices are listed. Two models may share voices: each id is the default model's first."""
    if name:
        return [api.library.find(name, Task.TEXT_TO_SPEECH)]
    default = api.library.find("", Task.TEXT_TO_SPEECH).name
    models = [item.model for item in api.library.installed() if item.model.task is Task.TEXT_TO_SPEECH]
    return sorted(models, key=lambda model: model.name != default)


def _described(model: Model, installed: InstalledModel | None) -> ModelObject:
    return ModelObject(
        id=model.name,
        created=_created(installed),
        owned_by=model.backend,
        name=model.name,
        task=model.task.value,
        installed=installed is not None,
        languages=list(model.languages),
        aliases=list(model.aliases),
        licence=model.licence,
        size_bytes=model.size_bytes,
    )


def _created(installed: InstalledModel | None) -> int:
    """Return when the model came here, as its files tell."""
    if installed is None:
        return 0
    try:
        return max(int(Path(path).stat().st_mtime) for path in installed.files.values())
    except (OSError, ValueError):
        return 0


def _voice(voice: Voice, model: str) -> VoiceObject:
    return VoiceObject(
        id=voice.id,
        name=voice.name or voice.id,
        language=voice.language,
        gender=voice.gender,
        model=model,
        note=voice.note,
    )
