"""Actions that the configuration names: where they are found, and whether their parameters make sense."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from shared.vault import vql
from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.configured_queries import token_paths, values_query
from shared.vault.components.lifecycles import CHANGE_STATE
from shared.vault.components.registry import Registry
from shared.vault.model.component_model import (
    ObjectUserAction,
    Scalar,
    UserAction,
    VaultObject,
)

__all__ = [
    "CHANGE_STATE",
    "LIFECYCLE_PREFIX",
    "OBJECT_PREFIX",
    "check_entry_actions",
    "lifecycle_action",
    "lifecycle_actions",
    "object_action",
]

LIFECYCLE_PREFIX = "Objectlifecyclestateuseraction"
OBJECT_PREFIX = "Objectaction"

RECIPIENTS = ("users", "groups", "fields")
USER_FIELDS = ("created_by__v", "modified_by__v")
USER_OBJECT = "user__sys"
MAX_SUBJECT = 255

_NOTIFY = frozenset((*RECIPIENTS, "subject", "body", "email"))

Parameters = Mapping[str, tuple[Scalar, ...]]


def lifecycle_actions(
    registry: Registry, target: VaultObject, state: str | None
) -> Sequence[UserAction]:
    """What the object's lifecycle offers in a state, in order."""
    lifecycle = registry.lifecycles.get(target.lifecycle or "")
    found = lifecycle.states.get(state or "") if lifecycle else None
    return found.user_actions if found else ()


def lifecycle_action(
    registry: Registry, target: VaultObject, state: str | None, name: str
) -> UserAction | None:
    """One action of a state by its short name, or None."""
    return next(
        (
            action
            for action in lifecycle_actions(registry, target, state)
            if action.name == name
        ),
        None,
    )


def object_action(target: VaultObject, name: str) -> ObjectUserAction | None:
    """One active user action of an object by its short name, or None."""
    return next(
        (action for action in target.actions if action.name == name and action.active),
        None,
    )


def check_entry_actions(registry: Registry) -> None:
    """Check what entry actions and user actions give as parameters, against every object that they run on.

    :raises ComponentError: at the first that names what is not there.
    """
    for target in registry.objects.values():
        for path, state, action, parameters in _actions(registry, target):
            check = _CHECKS.get(action)
            if check is not None:
                check(
                    registry,
                    target,
                    state,
                    parameters,
                    f"{path}: for Object.{target.name}",
                )


def _actions(
    registry: Registry, target: VaultObject
) -> Iterator[tuple[str, str | None, str, Parameters]]:
    """Where each action is written, the state that it runs in, its name and parameters."""
    for own in target.actions:
        yield f"Objectaction.{target.name}.{own.name}", None, own.action, own.parameters
    lifecycle = registry.lifecycles.get(target.lifecycle or "")
    for state in lifecycle.states.values() if lifecycle is not None else ():
        for entry in state.entry_actions:
            path = f"Objectlifecycle.{target.lifecycle}: {state.name}: {entry.name}"
            yield path, state.name, entry.action, entry.parameters


def _check_notify(
    registry: Registry,
    target: VaultObject,
    _state: str | None,
    parameters: Parameters,
    path: str,
) -> None:
    for name in parameters:
        if name not in _NOTIFY:
            raise ComponentError(
                f"{path}: notify has no parameter {name}; it has {', '.join(sorted(_NOTIFY))}."
            )
    if not any(parameters.get(name) for name in RECIPIENTS):
        raise ComponentError(
            f"{path}: notify needs recipients: {', '.join(RECIPIENTS)}."
        )
    for name in ("subject", "body"):
        if not _text(parameters, name):
            raise ComponentError(f"{path}: notify needs the parameter {name}.")
    if len(_text(parameters, "subject")) > MAX_SUBJECT:
        raise ComponentError(
            f"{path}: subject is longer than {MAX_SUBJECT} characters."
        )
    if any(not isinstance(value, bool) for value in parameters.get("email", ())):
        raise ComponentError(f"{path}: email must be true or false.")
    for value in parameters.get("fields", ()):
        field = target.fields.get(str(value))
        if value not in USER_FIELDS and (field is None or field.object != USER_OBJECT):
            raise ComponentError(
                f"{path}: fields: {value} is neither a field that refers to {USER_OBJECT} nor one of "
                f"{', '.join(USER_FIELDS)}.",
                Code.BROKEN_REFERENCE,
            )
    for name in ("subject", "body"):
        _check_template(registry, target, _text(parameters, name), f"{path}: {name}")


def _check_template(
    registry: Registry, target: VaultObject, template: str, path: str
) -> None:
    try:
        values_query(token_paths(template), target.name, registry, ("x",))
    except vql.VqlError as error:
        raise ComponentError(
            f"{path}: {error.message}.", Code.BROKEN_REFERENCE
        ) from error
    except ComponentError as error:
        raise ComponentError(f"{path}: {error.message}.") from error


def _check_run_action(
    registry: Registry,
    target: VaultObject,
    state: str | None,
    parameters: Parameters,
    path: str,
) -> None:
    name = _text(parameters, "user_action")
    if set(parameters) != {"user_action"} or not name:
        raise ComponentError(
            f"{path}: run_action takes one parameter, user_action, and needs it."
        )
    prefix, _, rest = name.rpartition(".") if "." not in name else name.partition(".")
    owner, _, rest = rest.partition(".") if prefix else (target.name, "", rest)
    found: object = None
    if owner == target.name and prefix in ("", OBJECT_PREFIX):
        found = object_action(target, rest)
    if owner == target.name and prefix == LIFECYCLE_PREFIX:
        found = lifecycle_action(registry, target, *rest.partition(".")[::2])
    if not prefix and found is None:
        found = lifecycle_action(registry, target, state, rest)
    if found is None:
        raise ComponentError(
            f"{path}: user_action: there is no action {name}.", Code.BROKEN_REFERENCE
        )


def _text(parameters: Parameters, name: str) -> str:
    values = parameters.get(name, ())
    return str(values[0]) if values else ""


_CHECKS: Mapping[
    str, Callable[[Registry, VaultObject, str | None, Parameters, str], None]
] = {
    "notify": _check_notify,
    "run_action": _check_run_action,
}
