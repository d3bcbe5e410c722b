"""GET /v1/models, /v1/models/{id}, /v1/audio/models, /v1/audio/voices."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Depends, Query

from slimvoice.api.context import ApiContext
from slimvoice.api.schemas.openapi import ERRORS
from slimvoice.api.schemas.responses import AudioModelList, ModelList, ModelObject, VoiceList, VoiceObject
from slimvoice.speech import Model, Task, Voice

Responses = dict[int | str, dict[str, Any]]
LIST_ERRORS: Responses = {status: ERRORS[status] for status in (400, 401, 403, 404, 429, 500)}


def routes(api: ApiContext) -> APIRouter:
    """Return the read-only lists."""
    router = APIRouter(prefix="/v1", tags=["models"], dependencies=[Depends(api.gate.lists())], responses=LIST_ERRORS)

    @router.get("/models")
    async def list_models() -> ModelList:
        """List the models that can be used now."""
        return ModelList(data=_usable(api, ""))

    @router.get("/models/{name:path}")
    async def get_model(name: str) -> ModelObject:
        """Describe a model that can be used now by its name or an alias; the id is what was asked for."""
        return _described(await api.provider.resolve(name), usable=True).model_copy(update={"id": name})

    @router.get("/audio/models")
    async def list_audio_models(
        task: Literal["", "speech-to-text", "text-to-speech"] = Query("", description="Only these; empty: both."),
        all: bool = Query(False, description="The whole catalog, not only what is on this machine."),
    ) -> AudioModelList:
        """List models by task, in OpenAI's shape and in Open WebUI's."""
        data = _catalog(api, task) if all else _usable(api, task)
        speaking = [model for model in data if model.task == Task.TEXT_TO_SPEECH.value]
        return AudioModelList(data=data, models=data if task else speaking)

    @router.get("/audio/voices")
    async def list_voices(
        model: str = Query("", description="Name of a model; empty: every installed one."),
    ) -> VoiceList:
        """List the voices, the default model's first."""
        return VoiceList(
            voices=[_voice(voice, owner.name) for owner in await _speakers(api, model) for voice in owner.voices]
        )

    return router


def _usable(api: ApiContext, task: str) -> list[ModelObject]:
    return [_described(model, usable=True) for model in api.provider.models() if task in {"", model.task}]


def _catalog(api: ApiContext, task: str) -> list[ModelObject]:
    """Return every model that has a name, whether it can be used now or would have to be pulled."""
    usable = {model.name: model for model in api.provider.models()}
    models = {model.name: model for model in api.library.models()} | usable
    return [_described(model, usable=name in usable) for name, model in models.items() if task in {"", model.task}]


async def _speakers(api: ApiContext, name: str) -> list[Model]:
    """Return the models whose voices are listed. Two models may share voices: each id is the default model's first."""
    if name:
        return [await api.known_model(name, Task.TEXT_TO_SPEECH)]
    default = (await api.known_model("", Task.TEXT_TO_SPEECH)).name
    models = [model for model in api.provider.models() if model.task is Task.TEXT_TO_SPEECH]
    return sorted(models, key=lambda model: model.name != default)


def _described(model: Model, *, usable: bool) -> ModelObject:
    return ModelObject(
        id=model.name,
        created=model.created,
        owned_by=model.backend if model.is_local else model.provider,
        name=model.name,
        task=model.task.value,
        installed=usable and model.is_local,
        languages=list(model.languages),
        aliases=list(model.aliases),
        licence=model.licence,
        size_bytes=model.size_bytes,
    )


def _voice(voice: Voice, model: str) -> VoiceObject:
    return VoiceObject(
        id=voice.id,
        name=voice.name or voice.id,
        language=voice.language,
        gender=voice.gender,
        model=model,
        note=voice.note,
    )
