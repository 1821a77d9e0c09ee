"""Checks that the actions that components name exist, and that their parameters fit the objects on which they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from shared.vault import vql
from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_kinds import ComponentKind, StateMember
from shared.vault.components.configured_queries import token_paths, values_query
from shared.vault.components.lifecycles import CHANGE_STATE, START_WORKFLOW
from shared.vault.components.registry import Registry
from shared.vault.model.component_model import Scalar, VaultObject

__all__ = [
    "CHANGE_STATE",
    "LIFECYCLE_PREFIX",
    "OBJECT_PREFIX",
    "START_WORKFLOW",
    "check_entry_actions",
]

LIFECYCLE_PREFIX = StateMember.USER_ACTION
OBJECT_PREFIX = ComponentKind.OBJECT_ACTION

RECIPIENTS = ("users", "groups", "fields")
USER_FIELDS = ("created_by__v", "modified_by__v")
USER_OBJECT = "user__sys"
MAX_SUBJECT = 255

_NOTIFY = frozenset((*RECIPIENTS, "subject", "body", "email"))

Parameters = Mapping[str, tuple[Scalar, ...]]


@dataclass(frozen=True, slots=True)
class _Use:
    """One use of an action in a component: ``path`` is its place for messages, ``state`` where it runs, or None."""

    path: str
    target: VaultObject
    state: str | None
    action: str
    parameters: Parameters

    def first(self, name: str) -> str:
        """Return the first value of a parameter as text; an empty string when it is absent."""
        values = self.parameters.get(name, ())
        if values:
            return str(values[0])
        return ""


def check_entry_actions(registry: Registry) -> None:
    """Check the parameters of entry actions and user actions against every object on which they run.

    :raises ComponentError: INVALID_ATTRIBUTE or BROKEN_REFERENCE, at the first parameter that does not fit.
    """
    for target in registry.objects.values():
        for use in _uses(registry, target):
            check = _CHECKS.get(use.action)
            if check is not None:
                check(registry, use)


def _uses(
    registry: Registry,
    target: VaultObject,
) -> Iterator[_Use]:
    where = f"for Object.{target.name}"
    for own in target.actions:
        path = f"{OBJECT_PREFIX}.{target.name}.{own.name}: {where}"
        yield _Use(
            path,
            target,
            None,
            own.action,
            own.parameters,
        )
    lifecycle = registry.lifecycles.get(target.lifecycle or "")
    if lifecycle is None:
        return
    # Objects may share a lifecycle: its actions must fit each of them.
    for state in lifecycle.states.values():
        for entry in state.entry_actions:
            name = f"{ComponentKind.LIFECYCLE}.{target.lifecycle}"
            path = f"{name}: {state.name}: {entry.name}: {where}"
            yield _Use(
                path,
                target,
                state.name,
                entry.action,
                entry.parameters,
            )


def _check_notify(registry: Registry, use: _Use) -> None:
    path = use.path
    for name in use.parameters:
        if name not in _NOTIFY:
            allowed = ", ".join(sorted(_NOTIFY))
            message = f"notify has no parameter {name}; it has {allowed}."
            raise ComponentError(f"{path}: {message}")
    _check_recipients(use)
    for name in ("subject", "body"):
        if not use.first(name):
            raise ComponentError(f"{path}: notify needs the parameter {name}.")
    if len(use.first("subject")) > MAX_SUBJECT:
        message = f"subject is longer than {MAX_SUBJECT} characters."
        raise ComponentError(f"{path}: {message}")
    emails = use.parameters.get("email", ())
    if not all(isinstance(email, bool) for email in emails):
        raise ComponentError(f"{path}: email must be true or false.")
    _check_user_fields(use)
    for name in ("subject", "body"):
        _check_template(registry, use, name)


def _check_recipients(use: _Use) -> None:
    named = [name for name in RECIPIENTS if use.parameters.get(name)]
    if not named:
        choices = ", ".join(RECIPIENTS)
        raise ComponentError(f"{use.path}: notify needs recipients: {choices}.")


def _check_user_fields(use: _Use) -> None:
    fields = use.target.fields
    for value in use.parameters.get("fields", ()):
        field = fields.get(str(value))
        refers_to_user = field is not None and field.object == USER_OBJECT
        if value in USER_FIELDS or refers_to_user:
            continue
        choices = ", ".join(USER_FIELDS)
        message = f"{value} is neither a field that refers to {USER_OBJECT} nor one of {choices}."
        raise _broken(f"{use.path}: fields: {message}")


def _check_template(
    registry: Registry,
    use: _Use,
    name: str,
) -> None:
    path = f"{use.path}: {name}"
    # The query for any record serves: it is compiled here, and never run.
    ids = ("x",)
    try:
        paths = token_paths(use.first(name))
        values_query(
            paths,
            use.target.name,
            registry,
            ids,
        )
    except vql.VqlError as error:
        raise _broken(f"{path}: {error.message}.") from error
    except ComponentError as error:
        raise ComponentError(f"{path}: {error.message}.") from error


def _check_run_action(registry: Registry, use: _Use) -> None:
    name = use.first("user_action")
    if set(use.parameters) != {"user_action"} or not name:
        message = "run_action takes one parameter, user_action, and needs it."
        raise ComponentError(f"{use.path}: {message}")
    if not _action_exists(registry, use, name):
        raise _broken(f"{use.path}: user_action: there is no action {name}.")


def _action_exists(
    registry: Registry,
    use: _Use,
    name: str,
) -> bool:
    """Return whether an object or its lifecycle has the action ``name``.

    The name is ``{name}``, ``Objectaction.{object}.{name}``, or
    ``Objectlifecyclestateuseraction.{object}.{state}.{name}``.
    """
    target = use.target
    if "." not in name:
        # A short name means the object's own action first, then one of the state that is entered.
        if registry.object_action(target, name) is not None:
            return True
        return registry.lifecycle_action(target, use.state, name) is not None
    prefix, _, qualified = name.partition(".")
    owner, _, rest = qualified.partition(".")
    if owner != target.name:
        return False
    if prefix == OBJECT_PREFIX:
        return registry.object_action(target, rest) is not None
    if prefix == LIFECYCLE_PREFIX:
        state, _, short_name = rest.partition(".")
        return registry.lifecycle_action(target, state, short_name) is not None
    return False


def _broken(message: str) -> ComponentError:
    return ComponentError(message, Code.BROKEN_REFERENCE)


_CHECKS: Mapping[str, Callable[[Registry, _Use], None]] = {
    "notify": _check_notify,
    "run_action": _check_run_action,
}
