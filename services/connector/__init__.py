"""Transfers records between the Vaults that it is connected with; has no database.

Its errors, besides those of the client (``shared.client.errors``) and of Spark (``shared.spark.broker_errors``):

* ConfigurationFault (``vaults.configuration``), RuleError (``rules.rule``): the message becomes a User Exception
* OutdatedRead (``points.evaluation``): the unit is read again
* Interrupted (``vaults.vaults``): the process stops, and its messages return to their queue
* for one field of one row, which becomes an item of a User Exception

  - Unfit (``rules.conversion``): a value that its target field does not take

    + UnknownKey (``rules.lookups``): a source key that a reference lookup has no row for

  - UseDefault (``rules.lookups``): the field gets its default instead

* for one record, which fails: Ambiguous (``points.case_contacts``), AmbiguousMetadata (``points.metadata_matching``)
* Unreachable (``delivery.external``): a receiver elsewhere did not accept a message
* for a message that is received by HTTPS and refused: UnknownAddress, Replayed (``receiving.signed_messages``),
  NotVerified (``receiving.verification``), Full (``receiving.replays``)
"""
