"""Objectworkflow components as read; unsupported parts cause warnings."""

from __future__ import annotations

import pytest

from shared.vault.components.mdl import parse
from shared.vault.components.registry import Registry
from shared.vault.components.statement_warnings import statement_warnings
from shared.vault.components.workflow_definitions import (
    Assignment,
    StepKind,
    VerdictMatch,
    WorkflowDefinition,
    read_workflow,
)

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<vwf:stepdetails xmlns:vwf="VeevaVault">'
)
START = f"""Objectworkflowstep start__c(label('Start'), type('start'), next_steps('Objectworkflowstep.check__c'),
step_detail({{{HEAD}<vwf:dialog type="wad"><vwf:controls>
<vwf:control name="owners__c" label="Owners" type="participant"><vwf:roles>
<vwf:role reference="Objectlifecyclerole.owner__v"/></vwf:roles></vwf:control>
<vwf:control name="helpers__c" type="participant"/>
</vwf:controls></vwf:dialog></vwf:stepdetails>}}))"""
CHECK = f"""Objectworkflowstep check__c(label('Check'), type('usertask'), next_steps('Objectworkflowstep.way__c'),
step_detail({{{HEAD}<vwf:dialog type="task"><vwf:controls>
<vwf:control label="Look" type="instructions"><vwf:instructions>Look at it.</vwf:instructions></vwf:control>
<vwf:control name="verdict_public_key__c" type="verdict">
<vwf:verdict label="Good" name="verdict_good__c"><vwf:field reference="Object.thing__c.note__c" required="true"/>
</vwf:verdict><vwf:verdict label="Bad" name="verdict_bad__c"/></vwf:control></vwf:controls></vwf:dialog>
<vwf:assignment participant="owners__c"/><vwf:assignmentType type="any"/></vwf:stepdetails>}}))"""
CONDITION = """<expression operator="function" qualifier="x.decision.userTask">
<expression operator="method"><value>{method}</value></expression>
<expression operator="argumentGroup"><value>ARGUMENT_GROUP1</value>
<expression operator="argument"><value>Objectworkflowstep.check__c</value></expression></expression>
<expression operator="argumentGroup"><value>ARGUMENT_GROUP2</value>
<expression operator="argument"><value>Good</value></expression></expression></expression>"""
NEXT = "<actions><action><nextSteps><nextStep>Objectworkflowstep.{step}</nextStep></nextSteps></action></actions>"
END = "Objectworkflowstep end__c(label('End'), type('end'))"


def way(method: str = "any_label", step: str = "end__c") -> str:
    condition = CONDITION.format(method=method)
    good, other = NEXT.format(step=step), NEXT.format(step="check__c")
    rules = f"<vwf:rule>{condition}{good}</vwf:rule><vwf:rule>{other}</vwf:rule>"
    return (
        "Objectworkflowstep way__c(label('Way'), type('decision'), next_steps(), step_detail({"
        f"{HEAD}<vwf:rules>{rules}</vwf:rules></vwf:stepdetails>}}))"
    )


def workflow(*steps: str) -> str:
    return (
        "RECREATE Objectworkflow sample__c (label('Sample'), active(true),"
        f" object_lifecycles('Objectlifecycle.sample__c'), {', '.join(steps)});"
    )


def read(*steps: str) -> WorkflowDefinition:
    (statement,) = parse(workflow(*steps))
    assert statement.component is not None
    return read_workflow(statement.component)


def test_an_exported_workflow_is_read() -> None:
    found = read(START, CHECK, way(), END)
    assert (found.lifecycles, found.problems()) == (("sample__c",), [])
    owners, helpers = found.participants.values()
    assert (owners.roles, owners.chosen, helpers.chosen) == (("owner__v",), False, True)
    check = found.steps["check__c"]
    assert (check.kind, check.assignment) == (StepKind.TASK, Assignment.ANY)
    assert (check.participant, check.instructions) == ("owners__c", "Look at it.")
    good, bad = check.verdicts
    assert (good.comment_name, bad.label) == ("verdict_good_comment__c", "Bad")
    assert [(each.field, each.required) for each in good.fields] == [("note__c", True)]
    first, other = found.steps["way__c"].rules
    assert first.task is not None
    assert (first.task.step, first.task.label) == ("check__c", "Good")
    assert (first.task.match, first.next_steps) == (VerdictMatch.ANY, ("end__c",))
    assert (other.task, other.next_steps) == (None, ("check__c",))


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ((CHECK, END), "no step of type start"),
        ((START, CHECK, way(step="gone__c"), END), "there is no step gone__c"),
        ((START, CHECK, way("all_but_one"), END), "not evaluated here"),
        (
            (START.replace("owners__c", "others__c"), CHECK, way(), END),
            "no participant owners__c",
        ),
        (
            (START, CHECK, way(), END.replace("'end'", "'job'")),
            "steps of type job are not carried out",
        ),
        (
            (START, CHECK.replace("</vwf:dialog>", ""), way(), END),
            "step_detail is not XML",
        ),
        (
            (
                START,
                CHECK.replace(
                    'name="verdict_bad__c"', 'name="verdict_bad__c" esignature="true"'
                ),
                way(),
                END,
            ),
            "signatures are not taken here",
        ),
        (
            (
                START,
                CHECK.replace(HEAD, '<!DOCTYPE a [<!ENTITY b "c">]><a>'),
                way(),
                END,
            ),
            "declares a document type",
        ),
    ],
)
def test_what_cannot_be_carried_out_is_warned_of_and_kept(
    steps: tuple[str, ...], problem: str
) -> None:
    (statement,) = parse(workflow(*steps))
    assert statement.component is not None
    registry = Registry.build([statement.component])
    warnings = statement_warnings(statement, registry)
    assert [text for text in warnings if problem in text]
    assert registry.components[statement.key] == statement.component
