"""Answers to readers: what is the same for everybody comes from the cache where that has it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel
from sqlalchemy.orm import Session

from backend.api.authentication import Viewer
from backend.api.dependencies import DatabaseSession, OpenResources
from backend.cache.answers import Answers, Key
from backend.services.errors import NotFoundError

Read = Callable[[Session], BaseModel | None]


@dataclass(frozen=True)
class Reader:
    """Who reads (None is anybody), by which session, and what the process keeps."""

    viewer: UUID | None
    session: Session
    answers: Answers

    async def shared(self, key: Key, read: Read) -> Response | None:
        """Return the answer that is the same for everybody, kept or read; None without any."""
        if (kept := self.answers.get(key)) is not None:
            return _json(kept)
        return await run_in_threadpool(self._filled, key, read)

    async def private(self, read: Read) -> Response | None:
        """Return an answer that is read each time; None without any."""
        found = await run_in_threadpool(self._read, read)
        return None if found is None else _json(_bytes(found))

    async def one(self, key: Key, shared: Read, own: Callable[[UUID], Read]) -> Response:
        """Return what everybody sees under this key, or what is the viewer's own.

        Raises NotFoundError where there is neither. The queries are the same for what is somebody
        else's and for nothing at all.
        """
        answer = await self.shared(key, shared)
        if answer is None and self.viewer is not None:
            answer = await self.private(own(self.viewer))
        if answer is None:
            raise NotFoundError(f"There is no such {key.subject.partition(' ')[0]}.")
        return answer

    async def list(self, key: Key | None, read: Read) -> Response:
        """Return a page of a list, kept or read; without a key it is the viewer's own."""
        answer = await (self.private(read) if key is None else self.shared(key, read))
        if answer is None:
            raise RuntimeError("A list is there even where nothing is in it.")
        return answer

    def _filled(self, key: Key, read: Read) -> Response | None:
        with self.answers.filling(key) as keep:
            found = self._read(read)
            if found is None:
                return None
            body = _bytes(found)
            keep(body)
        return _json(body)

    def _read(self, read: Read) -> BaseModel | None:
        """Return what is read, with nothing left to end: that would take another thread."""
        with self.session:
            return read(self.session)


def _bytes(found: BaseModel) -> bytes:
    return found.model_dump_json().encode()


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")


async def _reader(viewer: Viewer, session: DatabaseSession, opened: OpenResources) -> Reader:
    return Reader(viewer, session, opened.answers)


Reading = Annotated[Reader, Depends(_reader)]
