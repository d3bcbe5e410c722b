"""API keys in the volume."""

from __future__ import annotations

import stat
import threading
import time

import pytest

from slimvoice.errors import ConfigError, InvalidRequest, NotFound
from slimvoice.keys import SCOPES, KeyStore


@pytest.fixture
def store(tmp_path) -> KeyStore:
    return KeyStore(tmp_path / "volume" / "keys")


def test_a_key_verifies_and_its_token_is_not_stored(store, tmp_path):
    key, token = store.create("laptop", ["use"])
    assert store.verify(token) == key
    assert token.startswith("sv-")
    assert len(token) > 40
    written = (tmp_path / "volume" / "keys").read_bytes()
    assert token.encode() not in written
    assert token[3:].encode() not in written


def test_only_the_owner_can_read_the_file(store, tmp_path):
    store.create("laptop")
    assert stat.S_IMODE((tmp_path / "volume" / "keys").stat().st_mode) == 0o600


def test_wrong_empty_and_odd_tokens_do_not_verify(store):
    _, token = store.create("laptop")
    for wrong in ("", "sv-", token[:-1], token + "x", token.upper(), "\ud800", "ü" * 40):
        assert store.verify(wrong) is None


def test_an_expired_key_does_not_verify(store):
    _, token = store.create("old", expires_at=time.time() - 1)
    _, fresh = store.create("new", expires_at=time.time() + 1000)
    assert store.verify(token) is None
    assert store.verify(fresh) is not None


def test_a_revoked_key_does_not_verify_in_another_process(store, tmp_path):
    serving = KeyStore(tmp_path / "volume" / "keys")
    key, token = store.create("laptop")
    _, other = store.create("phone")
    assert serving.verify(token) == key
    store.revoke("laptop")
    assert serving.verify(token) is None
    assert serving.verify(other) is not None
    store.revoke(serving.keys()[0].id)
    assert serving.keys() == []


def test_revoking_what_is_not_there_says_so(store):
    with pytest.raises(NotFound):
        store.revoke("nobody")
    store.create("laptop")
    with pytest.raises(NotFound):
        store.revoke("nobody")


def test_the_first_key_has_every_scope_and_is_made_once(store):
    token = store.first()
    assert token is not None
    assert store.verify(token).scopes == SCOPES
    assert store.first() is None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a", "scopes": ["rule"]}, "scopes"),
        ({"name": "a", "scopes": []}, "scopes"),
        ({"name": "a", "requests_per_minute": 0}, "rate"),
        ({"name": "a", "audio_seconds_per_minute": -1}, "rate"),
    ],
)
def test_a_wrong_key_is_refused(store, fields, param):
    with pytest.raises(InvalidRequest) as caught:
        store.create(**fields)
    assert caught.value.param == param
    assert store.keys() == []


def test_two_keys_cannot_share_a_name(store):
    store.create("laptop")
    with pytest.raises(InvalidRequest):
        store.create("laptop")


def test_a_damaged_file_is_an_error_and_not_an_open_door(store, tmp_path):
    _, token = store.create("laptop")
    (tmp_path / "volume" / "keys").write_text("{not json")
    with pytest.raises(ConfigError):
        store.verify(token)


def test_keys_made_at_the_same_time_are_all_kept(store):
    threads = [threading.Thread(target=store.create, args=(f"key{number}",)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = store.keys()
    assert {key.name for key in made} == {f"key{number}" for number in range(12)}
