"""What is sent: the fields that the document has and no others, with few faults or refused whole.

Each fault is a complaint. A body of the largest size has room for more than a hundred thousand,
which would take seconds to write down, and nobody reads.
"""

from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

MOST_FAULTS = 100
"""So many faults of an object, and of all that is in it, are told one by one."""

EXACT = ConfigDict(extra="forbid")

Changes = TypeVar("Changes")


def _with_few_faults(sent: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    try:
        return validate(sent)
    except ValidationError as error:
        if (count := error.error_count()) <= MOST_FAULTS:
            raise
    raise PydanticCustomError("too_many_faults", "Has {count} faults", {"count": count})


class Sent(BaseModel):
    """The base of what makes something anew."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="wrap")
    @classmethod
    def _has_few_faults(cls, sent: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        made: Self = _with_few_faults(sent, validate)
        return made


Change = Annotated[Changes, WrapValidator(_with_few_faults)]
"""What changes something: a TypedDict, which has no base of its own."""
