"""Why a service did not do what it was asked. Each message is for the person who asked.

ServiceError
 ├ UnauthenticatedError
 ├ NotFoundError
 ├ ReadOnlyError
 └ ConflictError
    └ TransitionError
"""


class ServiceError(Exception):
    """A refusal that was foreseen: what happened, then what to do."""


class UnauthenticatedError(ServiceError):
    """Nobody is known to ask, and somebody must be."""


class NotFoundError(ServiceError):
    """It does not exist, or is not there for whoever asks: nobody is to know which."""


class ReadOnlyError(ServiceError):
    """It is there for who asks to read, and not to change."""


class ConflictError(ServiceError):
    """Something is there already that cannot be there twice."""


class TransitionError(ConflictError):
    """A status does not follow the one that there is."""
