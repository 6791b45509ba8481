"""Write for a request: few writers have a thread at once, so that reads keep their connections."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Concatenate, ParamSpec, TypeVar

from fastapi import Depends
from sqlalchemy.orm import Session

from backend.api.dependencies import DatabaseSession, OpenResources
from backend.api.threads import Threads

Given = ParamSpec("Given")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Writer:
    """Writes for one request, in its session."""

    session: Session
    threads: Threads

    async def write(
        self,
        work: Callable[Concatenate[Session, Given], Result],
        *given: Given.args,
        **named: Given.kwargs,
    ) -> Result:
        """Return the result of the work, which gets the session. Raises OverloadedError."""
        return await self.threads.run(work, self.session, *given, **named)


async def _writer(session: DatabaseSession, opened: OpenResources) -> Writer:
    return Writer(session, opened.writing)


Writing = Annotated[Writer, Depends(_writer)]
