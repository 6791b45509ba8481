"""Check the password of a request: count the attempt, look up the account, then hash."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from backend.api.dependencies import OpenResources, Resources
from backend.api.network import network_of
from backend.api.writer import Writer, Writing
from backend.services.accounts import LoginRecord, login_record, normalized_email
from backend.services.attempts import Guess
from backend.services.passwords import hash_password, is_password, require_fit

Result = TypeVar("Result")


@dataclass(frozen=True)
class PasswordChecker:
    """Checks passwords for one request, by the limits of its network."""

    writer: Writer
    opened: Resources
    network: str

    async def account(self, email: str, password: str) -> LoginRecord | None:
        """Return the active account with this address and password; None if there is none.

        Both cases take the same time. Raises TooManyAttemptsError and BusyError.
        """
        address = normalized_email(email)
        guess, kept = await self._in_counting_thread(self._begin, address)
        password_hash = None if kept is None else kept.password_hash
        is_right = await self.opened.hashing.run(is_password, password, password_hash)
        if kept is None or not is_right or not kept.is_active:
            return None
        attempts = self.opened.attempts
        await self._in_counting_thread(attempts.signed_in, self.writer.session, guess)
        return kept

    async def begin_registering(self) -> None:
        """Count a registration. Raises TooManyAttemptsError."""
        attempts = self.opened.attempts
        await self._in_counting_thread(
            attempts.begin_registering, self.writer.session, self.network
        )

    async def hashed(self, password: str, email: str, field: str) -> str:
        """Return the hash of a new password. Raises UnfitPasswordError and BusyError."""
        await self.opened.judging.run(require_fit, password, email, field)
        return await self.opened.hashing.run(hash_password, password)

    async def _in_counting_thread(self, work: Callable[..., Result], *arguments: object) -> Result:
        """Return the result of the work; few threads, because attempts lock the same rows."""
        return await self.opened.counting.run(work, *arguments)

    def _begin(self, address: str) -> tuple[Guess | None, LoginRecord | None]:
        guess = self.opened.attempts.begin_sign_in(self.writer.session, address, self.network)
        return guess, login_record(self.writer.session, address)


async def _password_checker(
    request: Request, writer: Writing, opened: OpenResources
) -> PasswordChecker:
    host = None if request.client is None else request.client.host
    opened.untrusted.note(host, request.headers.getlist("x-forwarded-for"))
    return PasswordChecker(writer, opened, network_of(host))


PasswordChecking = Annotated[PasswordChecker, Depends(_password_checker)]
