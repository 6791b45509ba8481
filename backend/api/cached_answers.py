"""Answers to readers: public answers come from the cache if it has them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import BaseModel
from sqlalchemy.orm import Session

from backend.api.authentication import Claimed
from backend.api.dependencies import OpenResources, Resources
from backend.api.threads import Threads
from backend.cache.answers import Key
from backend.services.accounts import require_active
from backend.services.errors import NotFoundError
from backend.services.tokens import Claim

Read = Callable[[Session], bytes | None]
"""Reads an answer as JSON, in a thread; None if nothing is found."""


@dataclass(frozen=True)
class Reader:
    """Reads for one request. `claim` is the content of its token; None without an account."""

    claim: Claim | None
    request: Request
    opened: Resources

    @property
    def viewer(self) -> UUID | None:
        """Return the account of the request's token; None without a token."""
        return None if self.claim is None else self.claim.account

    async def shared(self, key: Key, read: Read, threads: Threads | None = None) -> bytes | None:
        """Return a public answer, from the cache or the database; None if nothing is found."""
        return await self.opened.answers.answer(key, partial(self._in_thread, read, threads))

    async def made(
        self, key: Key, source: Key, read: Read, make: Callable[[bytes], bytes]
    ) -> bytes | None:
        """Return an answer made from another public answer, cached or made now; None if not found.

        Only one is made at a time: several threads would block the event loop. A request that waits
        for the thread holds no source; if the cache has dropped the source, it is read again.
        """

        def find_and_make() -> bytes | None:
            found = self.opened.answers.kept(source) or self._read(read)
            return None if found is None else make(found)

        in_thread = partial(self.opened.making.run, find_and_make)
        return await self.opened.answers.answer(key, in_thread)

    async def one(
        self,
        key: Key,
        own: Callable[[Session, UUID], bytes | None],
        shared: Callable[[], Awaitable[bytes | None]],
        threads: Threads | None = None,
    ) -> bytes | None:
        """Return the viewer's own object, or else the shared one; None if nothing is found.

        If the shared answer is cached, the viewer sees the same. But the cache may drop that answer
        meanwhile, because the owner has made the object private.
        """
        viewer = self.viewer
        if viewer is None:
            return await shared()

        def read(session: Session) -> bytes | None:
            return own(session, viewer)

        if self.opened.answers.kept(key) is not None:
            await self._private(_nothing)
            return await shared() or await self._private(read, threads)
        return await self._private(read, threads) or await shared()

    async def list(self, key: Key | None, read: Read) -> Response:
        """Return a page of a list, from the cache or the database; without a key it is private."""
        if key is None:
            answer = await self._private(read)
        else:
            if self.viewer is not None:
                await self._private(_nothing)
            answer = await self.shared(key, read)
        if answer is None:
            raise RuntimeError("A list has an answer even if it is empty.")
        return as_json(answer)

    async def _private(self, read: Read, threads: Threads | None = None) -> bytes | None:
        """Return data that is read each time, after a check that the account is active.

        One thread and one connection are enough for both.
        """

        def look_up_and_read(session: Session) -> bytes | None:
            if self.claim is not None:
                require_active(session, self.claim)
                self.request.state.user_id = self.viewer  # for the log
            return read(session)

        return await self._in_thread(look_up_and_read, threads)

    async def _in_thread(self, read: Read, threads: Threads | None = None) -> bytes | None:
        return await (threads or self.opened.reading).run(self._read, read)

    def _read(self, read: Read) -> bytes | None:
        """Return the result; close the session here, or later that would take another thread."""
        with self.opened.sessions() as session:
            return read(session)


def _nothing(_session: Session) -> None:
    """Read nothing: only the account is checked."""


def found(answer: bytes | None, kind: str) -> Response:
    """Return the answer; raise NotFoundError for None."""
    if answer is None:
        raise NotFoundError(f"There is no such {kind}.")
    return as_json(answer)


def as_json(body: bytes, status: int = 200) -> Response:
    """Return an answer whose body is JSON already."""
    return Response(body, status, media_type="application/json")


def dumped(model: BaseModel | None) -> bytes | None:
    """Return a model as JSON; None for None."""
    return None if model is None else model.model_dump_json().encode()


async def _reader(claim: Claimed, request: Request, opened: OpenResources) -> Reader:
    return Reader(claim, request, opened)


Reading = Annotated[Reader, Depends(_reader)]
