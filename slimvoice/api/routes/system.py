"""Health, metrics and the page that shows the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, Response
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

import slimvoice
from slimvoice.api.context import ApiContext
from slimvoice.api.schemas.openapi import ERRORS
from slimvoice.api.schemas.responses import Health
from slimvoice.errors import SlimvoiceError

DOCS_PAGE = Path(__file__).with_name("docs.html")
"""The OpenAPI document made readable by a script of our own: FastAPI's page loads Swagger UI from a CDN, or 1.5 MB."""
DOCS_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

Responses = dict[int | str, dict[str, Any]]
_NOT_READY: Responses = {503: {"description": "Not ready.", "model": Health}}
_METRICS: Responses = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
    **{status: ERRORS[status] for status in (401, 403, 429)},
}


def routes(api: ApiContext) -> APIRouter:
    """Return the routes for operators."""
    router = APIRouter(tags=["system"])

    @router.get("/health", response_model_exclude_none=True)
    @router.get("/health/live", response_model_exclude_none=True)
    async def live() -> Health:
        """Answer as long as the process serves requests; no model is asked."""
        return Health(status="ok", version=slimvoice.__version__)

    @router.get("/health/ready", responses=_NOT_READY, response_model=Health)
    async def ready() -> Response:
        """Tell whether work would be taken: not before the first models are pulled, nor when all have failed."""
        state = "ok" if api.readiness.ready and await _is_ready(api) else "unavailable"
        body = {"status": state, "version": slimvoice.__version__, "pulls": api.readiness.pulls}
        return JSONResponse(body, 200 if state == "ok" else 503)

    @router.get(
        "/metrics",
        dependencies=[Depends(api.gate.needs("metrics"))],
        response_class=Response,
        responses=_METRICS,
    )
    def metrics() -> Response:
        """Return metrics in Prometheus' text format."""
        return Response(generate_latest(api.registry), media_type=CONTENT_TYPE_LATEST)

    @router.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        """Show the API without any third-party network."""
        return HTMLResponse(DOCS_PAGE.read_text(encoding="utf-8"), headers=DOCS_HEADERS)

    return router


async def _is_ready(api: ApiContext) -> bool:
    try:
        return (await api.provider.health()).ready
    except SlimvoiceError:
        return False
