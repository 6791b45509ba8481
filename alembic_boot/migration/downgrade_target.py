"""The target of `inv rollback`: one step down from the database's revision, or a given one."""

from dataclasses import replace

from alembic_boot.commands import as_typed
from alembic_boot.description import BootDescription
from alembic_boot.errors import ConfigurationError
from alembic_boot.history.history import History
from alembic_boot.migration.preview import Preview, preview, preview_again
from alembic_boot.state.inspection import Inspection, SchemaState
from alembic_boot.state.plan import decide


def preview_one_step_down(boot: BootDescription) -> tuple[BootDescription, Preview]:
    """Return the boot with the revision one step down as target, and its plan.

    The target is a revision id, so exactly the agreed plan is run. Raises ConfigurationError if a
    step down is ambiguous, and the refusal of a state that has no revision below.
    """
    policy = replace(boot.schema, target="heads", rollback=True)
    found = preview(replace(boot, schema=policy))
    inspection = found.inspection
    if inspection.unknown or (inspection.tables and not inspection.current):
        refusal = decide(inspection, rollback=True, disposal=policy.disposal).refusal
        if refusal is not None:
            raise refusal
    policy = replace(policy, target=below(inspection, found.project.history))
    return replace(boot, schema=policy), preview_again(found, policy)


def preview_down_to_target(boot: BootDescription) -> tuple[BootDescription, Preview]:
    """Return the boot that downgrades only the revisions above the target, and its plan.

    A start with MIGRATION_ROLLBACK goes to exactly the target, so that all starts agree. Here
    branches beside the target stay as they are: they become part of the target. Raises BootError.
    """
    found = preview(boot)
    inspection, history = found.inspection, found.project.history
    target = inspection.target.revisions
    if inspection.state is not SchemaState.PAST or not target:
        return boot, found
    beside = [it for it in inspection.beyond if history.closure([it]).isdisjoint(target)]
    if not beside:
        return boot, found
    policy = replace(boot.schema, target=",".join(history.tips((*target, *beside))))
    return replace(boot, schema=policy), preview_again(found, policy)


def below(inspection: Inspection, history: History) -> str:
    """Return the revision that is one step down, or base. Raises ConfigurationError."""
    if not inspection.current:
        return "base"
    if len(inspection.current) > 1:
        raise _several(
            f"The database is at {len(inspection.current)} revisions: "
            f"{', '.join(inspection.current)}",
            history.revisions[inspection.current[0]].parents,
        )
    [current] = inspection.current
    parents = history.revisions[current].parents
    if len(parents) > 1:
        raise _several(f"{current} joins {' and '.join(parents)}", parents)
    # Dependencies of the revision other than its parent would be downgraded together with it.
    also = inspection.applied - history.closure(parents) - {current}
    if also:
        names = history.in_order(also)
        raise _several(f"{current} also needs {', '.join(names)}", parents)
    return parents[0] if parents else "base"


def _several(what: str, examples: tuple[str, ...]) -> ConfigurationError:
    example = as_typed(f"rollback --target {examples[0] if examples else 'base'}")
    return ConfigurationError(
        f"{what}, so one step down could mean several things.",
        f"Name the revision to go down to, as in `{example}`. Nothing was changed.",
    )
