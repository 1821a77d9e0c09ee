"""Declares the component types that a Vault does not use: it checks only their form, and returns them as written."""

from __future__ import annotations

from collections.abc import Iterator

from shared.vault.components.specification import (
    ComponentType,
    NameRule,
    by_name,
    flag,
    text,
)

MAX_UNUSED_NAME = 255

# Name; label; what it may contain.
_METADATA = """
Accountmessage Account Message
Actiontrigger Action Trigger; Actionblock, Draftactionblock
Agent Agent; Agentcontext
Applicationrole Application Role
Appsecurityrule Application Security Rule; Appsecurityfield, Appsecurityassignment
Atomicsecurity Atomic Security; Fieldsecurity, Objectcontrolsecurity, Actionsecurity, Workflowactionsecurity, \
Relationshipsecurity
Casechildconfig Case Child Configuration
Checklisttype Checklist Type; Checklistmatchingfield
Clientdistribution Client Distribution; Pageclientcode
Clinicalstandardmapping Clinical Standard Mapping
Dashboard Dashboard
Disclosurerule Disclosure Rule
Disclosurexmldoctypemapping Disclosure XML Document Type Mapping
Disclosurexmlfieldmapping Disclosure XML Field Mapping
Docatomicsecurity Document Atomic Security; Docworkflowactionsecurity, Docactionsecurity
Docfielddependency Document Field Dependency
Docfieldlayout Document Field Layout
Docmatchingrule Document Matching Rule; Docmatchingcriterion
Docparticipantrule Document Participant Rule; Docparticipantcriterion
Docrelationshiptype Document Relationship Type
Doctypegroup Document Type Group
Documentcheck Document Check
Documentchecksection Document Check Section
Documentstagegroup Document Stage Group; Documentstage
Formattedoutput Formatted Output
Group Group
Inboundemailaddress Inbound Email Address
Job Job; Sendnotificationjobaction, Changeobjectstatejobaction, Sdkbatchjobaction, Flashreportjobaction, \
Scheduleddataexportjobaction, Httppostjobaction
Jobmetadata Job Metadata
Labelset Label Set
Layoutprofile Layout Profile; Objectlayout
Layoutrule Layout Rule
Lifecyclestatetype Lifecycle State Type
Lifecyclestatetypeassociation Lifecycle State Type Association
Link Link
Matchingrule Matching Sharing Rule
Messagegroup Message Group; Message
Mobileshareactionconfig Mobile Share Action Configuration
Mobiletab Mobile Tab
Notificationtemplate Notification Template
Objectlifecyclestagegroup Object Lifecycle Stage Group; Objectlifecyclestage
Objectvalidation Object Validation Rule
Outboundemaildomain Outbound Email Domain
Overlaytemplate Overlay Template; Overlayoverride
Page Page
Pagelayout Page Layout
Pagelink Page Link
Printableviewtestscript Printable View Test Script
Qmsactionpathconfiguration QMS Action Path Configuration; Qmsactionstepconfiguration, Qmsactionpathfieldtodisplay
Qmsautomationusertemplate QMS Automation User Template
Qualitybatchroleassignment Quality Batch Role Assignment
Qualitycurriculumsmartmatchrule Quality Curriculum Smart Match Rule; Qualitycurriculumsmartmatchfield
Qualitydistributiongroupfilterset Quality Distribution Group Filter Set; Qualitydistributiongroupfilter
Qualitydynamicenrollmentrule Quality Dynamic Enrollment Rule; Qualitydynamicenrollmentmatchingfield
Qualityexternalnotification Quality External Notification; Qualitydistributiongroup
Qualityexternalnotificationtemplate Quality External Notification Template; \
Qualityextnotificationtemplatedistgroup
Qualityextractentityconfig Quality Extract Entity Configuration
Qualityinboundemailaddressconfiguration Quality Inbound Email Address Configuration
Qualityincidentintakelayout Quality Incident Intake Layout; Qualityincidentintakelayoutfield
Qualityobjectrelationshipconfig Quality Object Relationship Configuration; Qualitypicklistvaluemap
Qualityreasonforchange Quality Reason for Change; Qualityreasonforchangefieldcriteria, \
Qualityreasonforchangecommentcriterion, Qualityreasonforchangestate, Qualityreasonforchangefield
Qualityrecordcheck Quality Record Check; Qualitymatchtier, Qualityfieldsuggestion, \
Qualityrelatedrecordmatchfield, Qualityrelationshipstatemap, Qualityrelatedrecordsuggestion, Qualityrecordcheckrule
Qualityrecordcheckinsight Quality Record Check Insight; Qualityinsightrelatedrecordsummaryfield, \
Qualityinsightdisplayfield, Qualityinsightsummaryfield
Qualityrecordchecklifecycleassociation Quality Record Check Lifecycle Association; \
Qualityrelationshipstatemapassociation
Qualityreportabilitydecisiontreeconfig Quality Reportability Decision Tree; Qualityrdtqualifier
Qualityteam Quality Team; Qualityteamrolemembershiprestriction, Qualityteamrole, Qualityteamrelatedobjectsecurity
Qualityteamlifecycleassociation Quality Team Lifecycle Association; Qualityteamroleassociation
Relatedrecordsetup Related Record Setup; Relatedrecordreferencemapping, Relatedrecordfieldvaluemapping
Renditionprofile Rendition Profile
Report Report
Reportexceltemplate Report Excel Template
Reporttype Report Type
Rimdoctypeconfig RIM Document Type Configuration
Rimeventchangedetail RIM Event Change Detail; Rimeventchangedetailfield
Rimeventchangetype RIM Event Change Type; Rimeventchangetypedetail
Rimobjectconfiguration RIM Object Configuration; Rimfieldconfig
Rimobjectmapping RIM Object Mapping; Rimfieldmapping
Rolepermissionset Role Permission Set
Savedview Saved View
Searchablefield Searchable Field
Searchcollection Search Collection; Searchcollectionsection
Securitypolicy Security Policy
Selfevidentcorrection Self-Evident Correction
Sharingrule Sharing Rule; Sharingrole
Signaturepage Signature Page
Stationconfiguration Station Configuration; Stationconfigurationdocfield
Tab Tab; Subtab
Tabcollection Tab Collection; Tabcollectionitem
Tag Tag
Tagsecurityrule Tag Security Rule; Tagsecurityruleassignment
Vaulttoken Vault Token
Visualhierarchyconfiguration Visual Hierarchy Configuration; Visualhierarchyconfigurationfield
Webapigroup Web API Group
Workflow Workflow; Workflowstep
"""
_CODE = """
Aicontexttype AI Context Type
Aitool AI Tool
Aitooltype AI Tool Type
Customwebapi Custom Web API
Documentaction Document Action
Emailprocessor Email Processor
Messagedeliveryeventhandler Message Delivery Event Handler
Messageprocessor Message Processor
Pagecontroller Page Controller
Recordaction Record Action
Recordmergeeventhandler Record Merge Event Handler
Recordroletrigger Record Role Trigger
Recordtrigger Record Trigger
Recordworkflowaction Record Workflow Action
Sdkjob SDK Job
Userdefinedclass User-Defined Class
Userdefinedmodel User-Defined Model
Userdefinedservice User-Defined Service
"""


def _stored_only_types(
    table: str,
    *,
    code: bool,
) -> Iterator[ComponentType]:
    for line in table.strip().splitlines():
        head, _, contents = line.partition(";")
        name, label = head.split(" ", 1)
        parts = (part.strip() for part in contents.split(",")) if contents else ()
        yield _stored_only_type(
            name,
            label,
            tuple(_stored_only_type(part, part) for part in parts),
            code=code,
        )


def _stored_only_type(
    name: str,
    label: str,
    subtypes: tuple[ComponentType, ...] = (),
    *,
    code: bool = False,
) -> ComponentType:
    plural = f"{label[:-1]}ies" if label.endswith("y") else f"{label}s"
    return ComponentType(
        name,
        label,
        plural,
        name[:3].upper(),
        by_name(text("label", 255), flag("active")),
        {subtype.name: subtype for subtype in subtypes},
        NameRule.FREE,
        MAX_UNUSED_NAME,
        open=True,
        stored_only=True,
        code=code,
    )


# The types in the order of their names, code types last.
UNUSED_TYPES = (
    *_stored_only_types(_METADATA, code=False),
    *_stored_only_types(_CODE, code=True),
)
