"""The two ends of the socket between the server and a worker process."""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING

from slimvoice.engine import messages
from slimvoice.engine.messages import LENGTH, MAX_FRAME_BYTES, FromWorker, ToWorker

if TYPE_CHECKING:  # a worker process starts without asyncio, which costs it a third of its imports
    import asyncio


class AsyncChannel:
    """The server's end: asynchronous; many tasks may send at once, one receives."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def from_socket(cls, connection: socket.socket) -> AsyncChannel:
        """Return a channel over a connected socket, which it owns from now on."""
        import asyncio

        connection.setblocking(False)
        return cls(*await asyncio.open_unix_connection(sock=connection))

    async def send(self, message: ToWorker) -> None:
        """Send a message, waiting for the socket to drain; raises OSError when the worker has gone."""
        self._writer.write(messages.frame(message))
        await self._writer.drain()

    def post(self, message: ToWorker) -> None:
        """Send a small message without waiting."""
        if not self._writer.is_closing():
            self._writer.write(messages.frame(message))

    async def receive(self) -> FromWorker | None:
        """Wait for a message; None: the worker has closed its end. Raises ValueError for what is not a message."""
        try:
            length = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))[0]
            if length > MAX_FRAME_BYTES:
                raise ValueError(f"a frame of {length} bytes")
            return messages.from_worker(await self._reader.readexactly(length))
        except (EOFError, OSError):  # IncompleteReadError is an EOFError
            return None

    def close(self) -> None:
        """Close our end."""
        self._writer.close()


class Channel:
    """The worker's end: blocking; any thread may send."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._reader = connection.makefile("rb")
        self._sending = threading.Lock()

    def send(self, message: messages.FromWorker) -> None:
        """Send one message; a parent that has gone is noticed by `receive`."""
        try:
            with self._sending:
                self._socket.sendall(messages.frame(message))
        except OSError:
            os._exit(0)

    def receive(self) -> messages.ToWorker | None:
        """Wait for a message; None: the parent has closed its end."""
        head = self._reader.read(messages.LENGTH.size)
        if len(head) < messages.LENGTH.size:
            return None
        body = self._reader.read(messages.LENGTH.unpack(head)[0])
        return messages.to_worker(body)
