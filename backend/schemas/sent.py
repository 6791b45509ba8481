"""What is sent: the fields that the document has and no others, with few faults or refused whole.

Each fault is a complaint. A body of the largest size has room for more than a hundred thousand,
which would take seconds to write down, and nobody reads.
"""

from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

MOST_FAULTS = 100
"""So many faults of a body are told apart."""

EXACT = ConfigDict(extra="forbid", frozen=True)

Body = TypeVar("Body")


class New(BaseModel):
    """The base of what makes something."""

    model_config = EXACT


def _with_few_faults(sent: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    try:
        return validate(sent)
    except ValidationError as error:
        if (count := error.error_count()) <= MOST_FAULTS:
            raise
    raise PydanticCustomError("too_many_faults", "Has {count} faults", {"count": count})


Sent = Annotated[Body, WrapValidator(_with_few_faults)]
"""What a route takes as its body."""
