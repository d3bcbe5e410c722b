"""The Hugging Face Hub: huggingface-hub says where a file is and what it is; the bytes we fetch ourselves.

The client's own download starts from 0 in every process and checks no sha256, so only its metadata, URLs, tokens
and errors are used here. Its telemetry is off, and Xet, whose downloads do not resume.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # both are read when huggingface_hub is first imported
os.environ["HF_HUB_DISABLE_XET"] = "1"

import httpx2
from huggingface_hub import HfApi, errors, get_hf_file_metadata, hf_hub_url, set_client_factory
from huggingface_hub.utils._headers import build_hf_headers
from huggingface_hub.utils._http import hf_raise_for_status

from slimvoice.errors import Corrupted, Gated, PullError, SourceMissing, SourceUnreachable
from slimvoice.models.records import ModelFile
from slimvoice.models.sources.base import Body, Remote
from slimvoice.models.sources.web import WebSource, hash_fields, new_client, unreachable

_METADATA_TIMEOUT_S = 10.0


set_client_factory(new_client)  # by itself huggingface-hub waits minutes for a host that does not answer


class HubSource(WebSource):
    """Files of the hub. `endpoint` and `token` None: HF_ENDPOINT and HF_TOKEN, or what `hf auth login` stored."""

    name = "hub"

    def __init__(self, endpoint: str | None = None, token: str | None = None) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._token = token or None  # an empty one would be sent as such
        self._heard = False

    @property
    def answered(self) -> bool:
        """Return whether the hub ever answered."""
        return self._heard or super().answered

    def has(self, file: ModelFile) -> bool:
        """Return whether the file is of a repository, which has an owner: wheels are not on the hub."""
        return "/" in file.repo

    def describe(self, file: ModelFile) -> Remote:
        """Ask for size and hash: sha256 of LFS files, git's hash of the others."""
        found = self._ask(
            file.label,
            lambda: get_hf_file_metadata(
                self._url(file), token=self._token, timeout=_METADATA_TIMEOUT_S, endpoint=self._endpoint
            ),
        )
        self._heard = True
        etag = found.etag or ""
        hashes = hash_fields(etag) or self._listed_hash(file)
        return Remote(size=found.size or 0, etag=etag, commit=found.commit_hash or "", **hashes)

    def open(self, file: ModelFile, offset: int, etag: str) -> Body:
        """Open the file from `offset` on; the token is not sent on to the storage that the hub redirects to."""
        headers = build_hf_headers(token=self._token, library_name="slimvoice")
        with _translated_errors(file.label):
            body = self._web().open(self._url(file), headers, offset, etag, file.label)
        if file.sha256 and body.sha256 and body.sha256 != file.sha256:
            raise Corrupted(
                f"the hub's {file.label} is another file than the catalog's",
                hint="it was changed since; a newer slimvoice, or a pin in your own models.yaml, may know it",
            )
        return body

    def paths(self, repo: str, revision: str) -> dict[str, int]:
        """List a repository."""
        api = HfApi(endpoint=self._endpoint, token=self._token)
        info = self._ask(
            repo, lambda: api.model_info(repo, revision=revision, files_metadata=True, timeout=_METADATA_TIMEOUT_S)
        )
        self._heard = True
        return {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or []}

    def _listed_hash(self, file: ModelFile) -> dict[str, str]:
        """Look a sha256 up in the repository's tree, where the etag is no hash (as behind some proxies)."""
        api = HfApi(endpoint=self._endpoint, token=self._token)
        try:
            tree = self._ask(
                file.label, lambda: list(api.list_repo_tree(file.repo, recursive=True, revision=file.revision))
            )
        except PullError:
            return {}
        found = next((entry for entry in tree if entry.path == file.path), None)
        lfs = getattr(found, "lfs", None)
        return {"sha256": lfs.sha256} if lfs is not None else {}

    @staticmethod
    def _raise_for(response: httpx2.Response, _label: str) -> None:
        hf_raise_for_status(response)

    def _url(self, file: ModelFile) -> str:
        return hf_hub_url(file.repo, file.path, revision=file.revision, endpoint=self._endpoint)

    def _ask(self, label: str, question: Callable[[], Any]) -> Any:
        with _translated_errors(label):
            return question()


@contextmanager
def _translated_errors(label: str) -> Iterator[None]:
    """Translate the hub client's errors into ours, by class and never by text."""
    try:
        yield
    except errors.GatedRepoError as error:
        raise Gated(
            f"{label} is gated: the hub wants its terms accepted",
            hint="accept them on the model's page, then set HF_TOKEN to a token of that account",
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise SourceMissing(
            f"the hub has no repository for {label}, or it is private",
            hint="check the name; for a private repository set HF_TOKEN",
        ) from error
    except errors.RevisionNotFoundError as error:
        raise SourceMissing(f"the hub has no such revision of {label}", hint="check the revision") from error
    except errors.RemoteEntryNotFoundError as error:
        raise SourceMissing(f"the hub has no {label}", hint="check the file's name in the repository") from error
    except errors.OfflineModeIsEnabled as error:
        raise SourceUnreachable("HF_HUB_OFFLINE keeps the hub's client off the network") from error
    except errors.HfHubHTTPError as error:
        raise _by_status(error, label) from error
    except httpx2.HTTPError as error:
        raise unreachable(error) from error


def _by_status(error: errors.HfHubHTTPError, label: str) -> Gated | SourceMissing | SourceUnreachable:
    status = error.response.status_code
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return Gated(
            f"the hub does not let us read {label} (HTTP {status})",
            hint="set HF_TOKEN to a token that may read it",
        )
    if status == HTTPStatus.NOT_FOUND:
        return SourceMissing(f"the hub has no {label}")
    return SourceUnreachable(f"the hub answered HTTP {status} for {label}", hint="try again in a while")
