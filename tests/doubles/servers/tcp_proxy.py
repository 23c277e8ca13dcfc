"""A TCP proxy on loopback that can fail: it refuses connections, hangs, or loses answers."""

import asyncio
import socket
import struct
from collections.abc import Sequence
from enum import Enum, auto
from random import Random

_CHUNK = 64 * 1024
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Fault(Enum):
    REFUSES = auto()
    """Open connections are reset, and new ones refused; they are reset where other connections meet other faults."""
    HANGS = auto()
    """Nothing gets through, and no side is told."""
    LOSES_ANSWERS = auto()
    """Requests arrive; the connection is reset instead of the answer."""


class _Connection:
    """The two ends of a connection."""

    def __init__(self, ends: Sequence[asyncio.StreamWriter]) -> None:
        self.fault: Fault | None = None
        self._ends = ends

    def reset(self) -> None:
        for end in self._ends:
            if not end.is_closing():
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                end.transport.abort()


class TcpProxy:
    """Keeps its port however often it fails. `chance` decides which connection meets which fault."""

    def __init__(self, host: str, port: int, chance: Random) -> None:
        self._target = (host, port)
        self._chance = chance
        self._server: asyncio.Server | None = None
        self._faults: Sequence[Fault] = ()
        self._connections: set[_Connection] = set()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def fail(self, *faults: Fault) -> None:
        """Let every connection, open or new, meet one of these faults from now on."""
        await self.recover()
        self._faults = faults
        if faults == (Fault.REFUSES,):
            self._close_server()
        for connection in list(self._connections):
            self._meet(connection)

    async def recover(self) -> None:
        """End all faults: new connections work, and those that met a fault are reset."""
        self._faults = ()
        for connection in self._connections:
            if connection.fault is not None:
                connection.reset()
        if self._server is None:
            await self.start()

    def stop(self) -> None:
        self._close_server()
        for connection in self._connections:
            connection.reset()

    def _close_server(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _meet(self, connection: _Connection) -> None:
        connection.fault = self._chance.choice(self._faults) if self._faults else None
        if connection.fault is Fault.REFUSES:
            connection.reset()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection((writer, server_writer))
        self._connections.add(connection)
        self._meet(connection)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(connection, reader, server_writer, are_answers=False))
                both.create_task(self._carry(connection, server_reader, writer, are_answers=True))
        finally:
            connection.reset()
            self._connections.discard(connection)

    async def _carry(
        self, connection: _Connection, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, are_answers: bool
    ) -> None:
        try:
            while data := await source.read(_CHUNK):
                if connection.fault is Fault.HANGS:
                    continue
                if connection.fault is Fault.LOSES_ANSWERS and are_answers:
                    break
                target.write(data)
                await target.drain()
        except ConnectionError:
            pass
        if connection.fault is not Fault.HANGS:
            connection.reset()
