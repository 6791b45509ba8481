"""Request bodies: only the fields of the document are allowed, and the number of faults is limited.

Each fault becomes a complaint. A body of the largest size can contain more than a hundred thousand
faults, and writing them down would take seconds. So a body with many faults is refused as a whole.
"""

from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

MOST_FAULTS = 100
"""Faults of a body that are reported one by one."""

_MOST_KEYS = 100
"""Keys of one object: each unknown key is a fault, and no object has so many known keys."""

EXACT = ConfigDict(extra="forbid", frozen=True)

Body = TypeVar("Body")


class New(BaseModel):
    """The base of bodies that create something."""

    model_config = EXACT

    @model_validator(mode="before")
    @classmethod
    def _has_few_keys(cls, sent: Any) -> Any:
        _require_few_keys(sent)
        return sent


def _with_few_faults(sent: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    _require_few_keys(sent)
    try:
        return validate(sent)
    except ValidationError as error:
        if error.error_count() <= MOST_FAULTS:
            raise
    raise _too_many_faults()


def _require_few_keys(sent: Any) -> None:
    if isinstance(sent, dict) and len(sent) > _MOST_KEYS:
        raise _too_many_faults()


def _too_many_faults() -> PydanticCustomError:
    return PydanticCustomError(
        "too_many_faults", "Has more than {most} faults", {"most": MOST_FAULTS}
    )


Sent = Annotated[Body, WrapValidator(_with_few_faults)]
"""The type of a route's body."""
