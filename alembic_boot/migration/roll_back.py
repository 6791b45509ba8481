"""Downgrade the schema by one revision or to a target, after a question."""

from shlex import quote

from alembic_boot.commands import as_typed
from alembic_boot.description import BootDescription
from alembic_boot.errors import ConfigurationError
from alembic_boot.migration.downgrade_target import preview_down_to_target, preview_one_step_down
from alembic_boot.migration.migrate import migrate
from alembic_boot.migration.preview import show_preview
from alembic_boot.output.stdout import Unbuffered, show
from alembic_boot.state.plan import Action


def roll_back(boot: BootDescription, *, is_one_step: bool, is_agreed: bool) -> None:
    """Show the plan, and run it if it is agreed already, or if the answer on stdin is yes.

    `is_one_step` goes one step down from the database's revision, not to the description's target.
    Only the plan that was shown is run: another starter may have changed the schema meanwhile.
    Raises BootError.
    """
    wanted, found = preview_one_step_down(boot) if is_one_step else preview_down_to_target(boot)
    if found.plan.refusal is None and found.plan.action is not Action.DOWNGRADE:
        lowest = found.inspection.target.name
        show(f"There is nothing to roll back: the schema is not beyond {lowest}.")
        return
    show_preview(found)
    to = "" if is_one_step else f"--target {quote(found.inspection.target.name)} "
    if is_agreed or _agrees(
        "Take these revisions back, with the data that only they hold?", f"rollback {to}--yes"
    ):
        migrate(wanted, agreed=found.plan.steps)
    else:
        show("Nothing was changed.")


def _agrees(question: str, without: str) -> bool:
    """Ask on stdin; the command `without` asks nothing.

    Raises ConfigurationError if stdin has ended.
    """
    Unbuffered().write(f"{question} [y/N] ")  # to stdout, where the plan is
    try:
        return input().strip().lower() in ("y", "yes")
    except EOFError:
        show("")
        raise ConfigurationError(
            "The question cannot be asked: stdin has ended.", f"Type `{as_typed(without)}`."
        ) from None
