"""A TCP proxy in front of a server of the tests, which can fail as networks do."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from itertools import count
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from types import TracebackType

OnQuery = Callable[[int, str], None]
"""Is called with the number of a statement and its SQL."""

_CHUNK = 1 << 16
_DEADLINE = 60.0
_LINGER_NOT = struct.pack("ii", 1, 0)
_ENCRYPTION_REQUESTS = (80877103, 80877104)


class Proxy:
    """Forward connections of the loopback to `server_port`, until told otherwise.

    `on_query` is called before a client's statement is forwarded; `after_query` when it has been,
    so that the server is at work on it. Both are called by the thread that forwards the client's
    connection, both ways: until they return, the client hears nothing of the statement. They get
    its number, from 0 across all connections, and its SQL: that of every simple query and every
    Parse, whoever sends it (psycopg2 sends a BEGIN of its own). They may be set at any time, and
    may call `drop`, `blackhole` and `heal`. What they raise ends the connection, and the `with`.

    Clients must not encrypt. A request to is the server's to answer.
    """

    def __init__(
        self,
        server_port: int,
        *,
        on_query: OnQuery | None = None,
        after_query: OnQuery | None = None,
    ) -> None:
        self.on_query = on_query
        self.after_query = after_query
        self.failure: BaseException | None = None
        self.changed = threading.Condition(threading.RLock())
        self.is_mute = False
        self._server_port = server_port
        self._numbers = count()
        self._is_down = False
        self._is_over = False
        self._links: set[_Link] = set()
        self._calling = threading.local()
        """The link whose callback a thread runs."""
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> "Proxy":
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        self._acceptor = threading.Thread(target=self._accept, name="proxy", daemon=True)
        self._acceptor.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_over = True
        self.drop()
        socket.create_connection(("127.0.0.1", self.port)).close()  # what the acceptor waits for
        self._acceptor.join()
        self._listener.close()
        for thread in self._threads:
            thread.join(_DEADLINE)
            assert not thread.is_alive(), "a callback does not return"
        if error is None and self.failure is not None:
            raise self.failure

    def drop(self) -> None:
        """Reset all connections now, and every new one until `heal`."""
        with self.changed:
            self._is_down = True
            for link in self._links:
                link.end(reset=True)

    def refuse(self) -> None:
        """Reset every new connection until `heal`; those that are open go on."""
        with self.changed:
            self._is_down = True

    def drop_this(self) -> None:
        """Reset the connection that this callback is called for, and no other."""
        self._calling.link.end(reset=True)

    def silence_this(self) -> None:
        """Give the client of this callback no more answers; its connection stays open."""
        self._calling.link.is_silent = True

    def lead_to(self, server_port: int) -> None:
        """Forward new connections to another server, as an address does that has moved."""
        with self.changed:
            self._server_port = server_port

    def blackhole(self) -> None:
        """Forward nothing more, either way, with all connections left open, until `heal`.

        New connections are accepted, and as mute. `heal` delivers late what was said meanwhile.
        """
        with self.changed:
            self.is_mute = True
            self.changed.notify_all()

    def heal(self) -> None:
        """Accept connections again, and forward."""
        with self.changed:
            self._is_down = self.is_mute = False
            self.changed.notify_all()

    def next_number(self) -> int:
        """Return the number of the next statement."""
        with self.changed:
            return next(self._numbers)

    def called_for(self, link: "_Link") -> None:
        """Note the link whose callback this thread is about to run."""
        self._calling.link = link

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            with self.changed:
                if self._is_over:
                    client.close()
                    return
                if self._is_down:
                    _close(client, reset=True)
                    continue
                link = _Link(self, client)
                self._links.add(link)
                thread = threading.Thread(target=self._run, args=(link,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _run(self, link: "_Link") -> None:
        try:
            link.forward(self._server_port)
        except _CallbackError as error:
            self.failure = self.failure or error.__cause__
            link.end(reset=True)
        except OSError:
            link.end(reset=True)
        finally:
            with self.changed:
                self._links.discard(link)
                link.end()
            link.dispose()


class _CallbackError(Exception):
    """A callback raised the cause of this."""


class _Link:
    """A client's connection and its counterpart to the server.

    Whoever holds the proxy's lock may end it: all reading and writing is done under the lock, and
    never waits there.
    """

    def __init__(self, proxy: Proxy, client: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server: socket.socket | None = None
        self._is_over = False
        self.is_silent = False
        self._woken, self._waker = socket.socketpair()

    def end(self, *, reset: bool = False) -> None:
        """Close both connections now, wherever the forwarding is."""
        with self._proxy.changed:
            if self._is_over:
                return
            self._is_over = True
            for connection in filter(None, (self._client, self._server)):
                _close(connection, reset=reset)
            self._waker.send(b"!")
            self._proxy.changed.notify_all()

    def dispose(self) -> None:
        """Close what is left when it has ended."""
        self._woken.close()
        self._waker.close()

    def forward(self, server_port: int) -> None:
        """Forward until one side closes, or until `end`; OSError where a side is broken."""
        with self._proxy.changed:
            self._wait_while_mute()
        client, server = self._client, socket.create_connection(("127.0.0.1", server_port))
        statements = _Statements()
        with DefaultSelector() as selector:
            with self._proxy.changed:
                if self._is_over:
                    server.close()
                    return
                self._server = server
                for connection in (client, server):
                    connection.setblocking(False)
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    selector.register(connection, EVENT_READ)
                selector.register(self._woken, EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is client:
                        if not (data := self._receive(client)):
                            return
                        for message, sql in statements.cut(data):
                            self._pass_on(server, message, sql)
                    else:
                        if not (data := self._receive(server)):
                            return
                        if not self.is_silent:
                            self._send(client, data)

    def _pass_on(self, server: socket.socket, message: bytes, sql: str | None) -> None:
        if sql is None:
            self._send(server, message)
            return
        number = self._proxy.next_number()
        self._call(self._proxy.on_query, number, sql)
        self._send(server, message)
        self._call(self._proxy.after_query, number, sql)

    def _call(self, callback: OnQuery | None, number: int, sql: str) -> None:
        if callback is not None:
            self._proxy.called_for(self)
            try:
                callback(number, sql)
            except BaseException as error:
                raise _CallbackError from error

    def _receive(self, source: socket.socket) -> bytes:
        with self._proxy.changed:
            self._check()
            return source.recv(_CHUNK)

    def _send(self, target: socket.socket, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            with DefaultSelector() as selector:
                with self._proxy.changed:
                    self._wait_while_mute()
                    try:
                        rest = rest[target.send(rest) :]
                    except BlockingIOError:
                        selector.register(target, EVENT_WRITE)
                        selector.register(self._woken, EVENT_READ)
                if selector.get_map():
                    selector.select()

    def _wait_while_mute(self) -> None:
        self._proxy.changed.wait_for(lambda: self._is_over or not self._proxy.is_mute)
        self._check()

    def _check(self) -> None:
        if self._is_over:
            raise ConnectionResetError


class _Statements:
    """Cuts what a client says into whole messages, and finds the SQL in them."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._is_started = False

    def cut(self, data: bytes) -> Iterator[tuple[bytes, str | None]]:
        """Give each message that is complete now, and its SQL where it is a statement."""
        self._buffer += data
        while True:
            # Until the session has started, messages have no byte for their type.
            start = 1 if self._is_started else 0
            size = start + max(4, int.from_bytes(self._buffer[start : start + 4]))
            if len(self._buffer) < size:
                return
            message = bytes(self._buffer[:size])
            del self._buffer[:size]
            yield message, self._sql(message)

    def _sql(self, message: bytes) -> str | None:
        if not self._is_started:
            self._is_started = int.from_bytes(message[4:8]) not in _ENCRYPTION_REQUESTS
            return None
        if message[:1] == b"Q":
            return message[5:].partition(b"\0")[0].decode(errors="replace")
        if message[:1] == b"P":
            return message[5:].split(b"\0")[1].decode(errors="replace")
        return None


def _close(connection: socket.socket, *, reset: bool) -> None:
    if reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    connection.close()
