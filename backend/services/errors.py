"""Errors of the services. Each message is for the person who sent the request.

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
    """A foreseen refusal: what happened, then what to do."""


class UnauthenticatedError(ServiceError):
    """The request needs an account, and shows none."""


class NotFoundError(ServiceError):
    """The object does not exist, or the caller may not see it. The answer does not tell which."""


class WrongPasswordError(ServiceError):
    """The caller is known, but the additional password is wrong."""


class UnfitPasswordError(ServiceError):
    """A new password is easy to guess. `field` is the name of its field in the body."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class LaterError(ServiceError):
    """The request can be tried again in `retry_after` seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TooManyAttemptsError(LaterError):
    """There were too many attempts."""


class BusyError(LaterError):
    """Too many callers ask for the same thing at once."""


class ReadOnlyError(ServiceError):
    """The caller may read the object, but not change it."""


class ConflictError(ServiceError):
    """The object conflicts with an existing one."""


class TransitionError(ConflictError):
    """A status may not follow the present one."""
