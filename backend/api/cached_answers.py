"""Answers to readers: what is the same for everybody comes from the cache if that has it."""

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
"""Reads an answer, as JSON, in a thread; None when there is none."""


@dataclass(frozen=True)
class Reader:
    """Reads for one request. `claim` is what its token says; None is anybody."""

    claim: Claim | None
    request: Request
    opened: Resources

    @property
    def viewer(self) -> UUID | None:
        """Return whose token the request shows; None is anybody."""
        return None if self.claim is None else self.claim.account

    async def shared(self, key: Key, read: Read, threads: Threads | None = None) -> bytes | None:
        """Return what is the same for everybody, kept or read; None without any."""
        return await self.opened.answers.answer(key, partial(self._in_thread, read, threads))

    async def made(
        self, key: Key, source: Key, read: Read, make: Callable[[bytes], bytes]
    ) -> bytes | None:
        """Return what is made of an answer for everybody, kept or made in a thread; None without.

        One at a time is made: else many threads would keep the event loop from its turn. A request
        that waits for that thread holds no source: if it is not kept any more, it is read again.
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
        """Return what is the viewer's own or else everybody's; None without any.

        If the answer for everybody is kept, the viewer sees the same. But that answer may be given
        up meanwhile, because the owner has made it private.
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
        """Return a page of a list, kept or read; without a key it is the viewer's own."""
        if key is None:
            answer = await self._private(read)
        else:
            if self.viewer is not None:
                await self._private(_nothing)
            answer = await self.shared(key, read)
        if answer is None:
            raise RuntimeError("A list is there even if nothing is in it.")
        return as_json(answer)

    async def _private(self, read: Read, threads: Threads | None = None) -> bytes | None:
        """Return what is read each time, after a look whether the account is active.

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
        """Return what is read, with nothing left to end: that would take another thread."""
        with self.opened.sessions() as session:
            return read(session)


def _nothing(_session: Session) -> None:
    """Read nothing: only the account is looked up."""


def found(answer: bytes | None, kind: str) -> Response:
    """Return what was found; raise NotFoundError if nothing was."""
    if answer is None:
        raise NotFoundError(f"There is no such {kind}.")
    return as_json(answer)


def as_json(body: bytes, status: int = 200) -> Response:
    """Return an answer of what is JSON already."""
    return Response(body, status, media_type="application/json")


def dumped(model: BaseModel | None) -> bytes | None:
    """Return a model as JSON; None without one."""
    return None if model is None else model.model_dump_json().encode()


async def _reader(claim: Claimed, request: Request, opened: OpenResources) -> Reader:
    return Reader(claim, request, opened)


Reading = Annotated[Reader, Depends(_reader)]
