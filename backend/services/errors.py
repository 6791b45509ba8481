"""Why a service did not do what it was asked. Each message is for the person who asked.

ServiceError
 ├ UnauthenticatedError
 ├ NotFoundError
 ├ WrongPasswordError
 ├ UnfitPasswordError
 ├ ReadOnlyError
 ├ LaterError
 │  ├ TooManyAttemptsError
 │  └ BusyError
 └ ConflictError
    └ TransitionError
"""


class ServiceError(Exception):
    """A refusal that was foreseen: what happened, then what to do."""


class UnauthenticatedError(ServiceError):
    """Nobody is known to ask, and somebody must be."""


class NotFoundError(ServiceError):
    """It does not exist, or is not there for whoever asks: nobody is to know which."""


class WrongPasswordError(ServiceError):
    """The one who asks is known, and a password that is needed as well is not right."""


class UnfitPasswordError(ServiceError):
    """A new password is one that is guessed first; `field` of the body has it."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class LaterError(ServiceError):
    """It can be tried again in `retry_after` seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TooManyAttemptsError(LaterError):
    """It was tried too often."""


class BusyError(LaterError):
    """Too many ask for the same at once."""


class ReadOnlyError(ServiceError):
    """It is there for who asks to read, and not to change."""


class ConflictError(ServiceError):
    """Something is there already that cannot be there twice."""


class TransitionError(ConflictError):
    """A status does not follow the one that there is."""
