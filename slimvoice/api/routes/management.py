"""Managing models: pull with progress, load, unload, delete; and what runs now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

import slimvoice
from slimvoice.api.context import ApiContext, keep_alive_s
from slimvoice.api.forms import parse, read_json
from slimvoice.api.schemas.openapi import ERRORS, json_body
from slimvoice.api.schemas.requests import LoadBody, PullBody
from slimvoice.api.schemas.responses import Deleted, PullLine, Status, Worker
from slimvoice.api.streaming import NDJSON, cancel_on_disconnect, stream_lines
from slimvoice.errors import InvalidRequest
from slimvoice.models.async_pull import Pull, pull_events
from slimvoice.models.library import ModelLibrary
from slimvoice.models.records import HubName
from slimvoice.speech import InstalledModel, ProviderStatus

Json = dict[str, Any]

_PULL_RESPONSES: dict[int | str, Json] = {
    200: {
        "description": "Progress, a JSON object per line; with `stream: false` only the last.",
        "content": {
            NDJSON: {"schema": {"type": "string"}},
            "application/json": {"schema": {"$ref": "#/components/schemas/PullLine"}},
        },
    }
}


def routes(api: ApiContext) -> APIRouter:
    """Return the management routes; names may hold `:` and `/`."""
    router = APIRouter(tags=["management"], responses=ERRORS)
    manager = Depends(api.gate.needs("manage"))

    @router.post(
        "/v1/audio/models/{name:path}/load",
        dependencies=[manager],
        openapi_extra=json_body(LoadBody, {"keep_alive": "10m"}, required=False),
    )
    async def load(name: str, request: Request) -> Worker:
        """Load a model now, and keep it for `keep_alive`."""
        body = parse(LoadBody, await read_json(request, api.json_limits, empty_is_object=True))
        model = await api.provider.resolve(name)
        loading = api.host_of(model).load(model, keep_alive_s(body.keep_alive))
        status = await cancel_on_disconnect(request, loading)
        return Worker.model_validate(msgspec.to_builtins(status))

    @router.post("/v1/audio/models/{name:path}/unload", dependencies=[manager])
    async def unload(name: str) -> PullLine:
        """End a model's worker once its running jobs are done; all its memory comes back."""
        model = await api.known_model(name)
        await api.host_of(model).unload(model)
        return PullLine(status="unloaded", model=model.name)

    @router.post(
        "/v1/audio/models/{name:path}",
        dependencies=[manager],
        responses=_PULL_RESPONSES,
        openapi_extra=json_body(PullBody, {"stream": True}, required=False),
    )
    async def pull(name: str, request: Request) -> Response:
        """Pull a model; leaving stops the pull, and the next one goes on from there."""
        body = parse(PullBody, await read_json(request, api.json_limits, empty_is_object=True))
        lines = pull_lines(_pull(api.library, name, body))
        if body.stream is False:
            return JSONResponse(await cancel_on_disconnect(request, _last(lines)))
        return await stream_lines(request, lines)

    @router.delete("/v1/models/{name:path}", dependencies=[manager])
    @router.delete("/v1/audio/models/{name:path}", dependencies=[manager])
    async def delete(name: str) -> Deleted:
        """Unload a model and delete its files."""
        model = await api.known_model(name)
        host = api.host_of(model)
        api.library.check_pulled(name)
        await host.unload(model)
        freed = await asyncio.to_thread(api.library.remove, model.name)
        return Deleted(id=name, deleted=True, freed_bytes=freed)

    @router.get("/system/audio/status", dependencies=[Depends(api.gate.needs("manage", "metrics"))])
    async def status() -> Status:
        """Tell what is loaded, where, with measured memory and pace."""
        now = msgspec.to_builtins(await api.host.status() if api.host is not None else ProviderStatus())
        return Status.model_validate({"version": slimvoice.__version__, **now})

    return router


def _pull(library: ModelLibrary, name: str, body: PullBody) -> Pull:
    """Return the pull that a request asks for; raises ModelNotFound."""
    if HubName.parse(name) is not None:
        return partial(
            library.pull_from_hub,
            name,
            file=body.file or "",
            revision=body.revision or "",
            as_name=body.as_name or "",
        )
    if body.file or body.revision or body.as_name:
        raise InvalidRequest("file, revision and as are for hub repositories", hint="write hf:OWNER/REPO", param="file")
    return partial(library.pull, library.find(name).name)


async def pull_lines(pull: Pull) -> AsyncGenerator[Json, None]:
    """Yield progress as Ollama words it; `success` last."""
    async with aclosing(pull_events(pull)) as events:
        async for progress in events:
            if isinstance(progress, InstalledModel):
                yield {"status": "success", "model": progress.model.name}
                return
            yield {
                "status": progress.status,
                "model": progress.model,
                "file": progress.file,
                "completed": progress.done_bytes,
                "total": progress.total_bytes,
                "source": progress.source,
            }


async def _last(lines: AsyncGenerator[Json, None]) -> Json:
    async with aclosing(lines):
        return [line async for line in lines][-1]
