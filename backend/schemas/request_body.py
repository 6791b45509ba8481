"""Bodies as they are sent: the fields that the document has and no others, with few faults.

Each fault is a complaint. A body of the largest size has room for more than a hundred thousand. To
write them down would take seconds, so a body with many faults is refused whole.
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
"""So many faults of a body are told apart."""

_MOST_KEYS = 100
"""Keys of one object: each that is not known is a fault, and no object has so many that are."""

EXACT = ConfigDict(extra="forbid", frozen=True)

Body = TypeVar("Body")


class New(BaseModel):
    """The base of what makes something."""

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
"""What a route takes as its body."""
