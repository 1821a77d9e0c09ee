"""Lists every retry of the system as data: which operation is repeated, how often, and after which pauses."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass

# More than any process lives to count, so that a loop over attempts needs no case of its own.
UNBOUNDED = sys.maxsize


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The number of attempts of an operation, the pauses in between, and what follows the last attempt.

    ``first_pause`` and ``longest_pause`` are seconds; the pauses grow by ``factor``. ``attempts`` counts the first one
    too and is ``UNBOUNDED`` where only success or the end of the process ends the retries. Each pause
    is shortened or lengthened at random, by at most the part ``spread`` of itself.
    """

    tries: str
    after: str
    attempts: int
    first_pause: float
    longest_pause: float
    finally_: str
    factor: float = 2.0
    spread: float = 0.2

    def pauses(self, *, first_pause: float | None = None) -> Iterator[float]:
        """Yield the pauses in seconds without end, the first of them ``first_pause`` if that is set.

        They are spread so that many processes that wait for one peer do not come back at the same instant.
        """
        pause = self.first_pause if first_pause is None else first_pause
        while True:
            # Spreading retries needs no unpredictable source.
            spread = random.uniform(1 - self.spread, 1 + self.spread)  # noqa: S311  # nosec B311
            spread_pause = pause * spread
            yield min(self.longest_pause, spread_pause)
            longer = pause * self.factor
            pause = min(self.longest_pause, longer)

    def pause_before(self, attempt: int) -> float:
        """Return the pause in seconds before an attempt, which counts from 1, without any spread."""
        # The second attempt is the first one that has a pause before it.
        growth = self.factor ** (attempt - 2)
        pause = self.first_pause * growth
        return min(self.longest_pause, pause)


# A connector waits for as long as it lives: the broker keeps the messages meanwhile.
PEER_AWAY = RetryPolicy(
    tries="a call of a Vault or broker, by a connector",
    after="the Vault or broker is away, or refuses for a reason that will pass",
    attempts=UNBOUNDED,
    first_pause=0.1,
    longest_pause=15.0,
    finally_="the process stops, and its messages return to their queue",
)
# Short, because whatever waits in the outbox waits no longer than this once the peer is back.
VAULT_LOOP = RetryPolicy(
    tries="relay, worker and notifications of a Vault",
    after="PostgreSQL or the broker is away",
    attempts=UNBOUNDED,
    first_pause=0.1,
    longest_pause=3.0,
    finally_="the process stops",
)
LOST_WORKER = RetryPolicy(
    tries="a worker of a Vault",
    after="it was killed",
    attempts=UNBOUNDED,
    first_pause=0.1,
    longest_pause=30.0,
    finally_="the process stops",
)
# A loop that fails at once each time must not fill the log: half a minute is long enough for a person to read it.
BACKGROUND_WORK = RetryPolicy(
    tries="a background task of a process",
    after="it ended by itself or by an unexpected error, which is logged",
    attempts=UNBOUNDED,
    first_pause=0.5,
    longest_pause=30.0,
    finally_="the process stops",
)
# A building takes minutes: what another process does not build, or has left behind, is seen to soon enough.
INDEX_BUILDER = RetryPolicy(
    tries="the building of missing search indexes",
    after="another process of the Vault is building",
    attempts=UNBOUNDED,
    first_pause=5.0,
    longest_pause=60.0,
    finally_="the process stops",
)
SUBSCRIPTION = RetryPolicy(
    tries="the subscription to a queue",
    after="it is lost, or cannot be opened",
    attempts=UNBOUNDED,
    first_pause=0.2,
    longest_pause=15.0,
    finally_="the process stops",
)
# ``CONNECTOR_DELIVERY_ATTEMPTS`` and ``CONNECTOR_DELIVERY_FIRST_PAUSE`` replace both numbers.
DELIVERY = RetryPolicy(
    tries="delivery of a message to a remote Vault",
    after="no active connection leads anywhere, or the receiver does not take it",
    attempts=5,
    first_pause=0.2,
    longest_pause=15.0,
    finally_="a User Exception Message of type *Message Delivery Error*",
)
# Shorter at first than the attempts of a delivery together, so that one lost answer costs no message; later long, since
# each trial holds a place among the handlers until the time limit.
HANGING_RECEIVER = RetryPolicy(
    tries="one message at a time to the receiver of an External connection",
    after="it did not answer a message, or was slow to refuse one; until it answers in time, the others fail at once",
    attempts=UNBOUNDED,
    first_pause=1.0,
    longest_pause=60.0,
    finally_="it takes a message, or refuses one at once",
)
# A Vault answers so for faults of its own, most of which pass within minutes; a record that provokes one must not hold
# back the others of its unit for longer.
DOUBTFUL_REFUSAL = RetryPolicy(
    tries="a unit of messages, a page of a run, a slice of a reconciliation",
    after="a Vault answers with UNEXPECTED_ERROR, stops a query, or no longer has a later page of it",
    attempts=12,
    first_pause=0.1,
    longest_pause=15.0,
    finally_="a User Exception Message of type *Message Processing Error*, or the run's or reconciliation's error",
)
# A minute of it holds a place among the handlers, and the acknowledgement of the messages that came together.
MARK_FAILED = RetryPolicy(
    tries="the report to a source Vault that records have failed",
    after="the Vault refuses the report",
    attempts=10,
    first_pause=0.2,
    longest_pause=15.0,
    finally_="the message returns to its queue, and its processing begins again",
)
# Without pauses: the newer state is stored already, and the next read finds it.
OUTDATED_READ = RetryPolicy(
    tries="a unit of records, read again",
    after="another connector stored a newer state of a record, or a person edited an inquiry at Failed, meanwhile",
    attempts=10,
    first_pause=0.0,
    longest_pause=0.0,
    finally_="waiting as for a Vault that is away",
)
LOST_RACE = RetryPolicy(
    tries="rows of a unit that another transaction wrote first",
    after="the Vault answers with RACE_CONDITION",
    attempts=4,
    first_pause=0.0,
    longest_pause=0.0,
    finally_="a User Exception Item",
)
UNIQUE_VALUE = RetryPolicy(
    tries="a call that writes records",
    after="another transaction stored one of its unique values first",
    attempts=8,
    first_pause=0.0,
    longest_pause=0.0,
    finally_="RACE_CONDITION",
)
# Short, because a caller of the API waits meanwhile.
UNIT_OF_WORK = RetryPolicy(
    tries="a transaction of a Vault",
    after="a serialization failure, a deadlock, or a table changed by a component",
    attempts=5,
    first_pause=0.02,
    longest_pause=0.16,
    finally_="UNEXPECTED_ERROR with HTTP status 503",
)
TABLE_CHANGED = RetryPolicy(
    tries="a query",
    after="a component change has replaced a table since it was compiled",
    attempts=4,
    first_pause=0.0,
    longest_pause=0.0,
    finally_="UNEXPECTED_ERROR with HTTP status 503",
)
# With the waits of half a second, half a minute; between the attempts those who wait behind have their turn.
BUSY_TABLE = RetryPolicy(
    tries="a change of a component",
    after="others used one of its tables for half a second",
    attempts=30,
    first_pause=0.05,
    longest_pause=0.5,
    finally_="UNEXPECTED_ERROR with HTTP status 503, or `GEN-F-503` in the middle of a script",
)
JOB = RetryPolicy(
    tries="a job",
    after="PostgreSQL or the broker is away",
    attempts=5,
    first_pause=2.0,
    longest_pause=300.0,
    finally_="the job ends with errors",
)
# Mail servers refuse for minutes on purpose where they do not know the sender (greylisting).
EMAIL = RetryPolicy(
    tries="e-mail of notifications",
    after="the mail server refuses it for the moment",
    attempts=8,
    first_pause=30.0,
    longest_pause=1920.0,
    finally_="the e-mail counts as failed",
)
# One attempt more than the broker returns a message: ``DELIVERY_LIMIT`` in shared/spark/topology.py.
REDELIVERY = RetryPolicy(
    tries="a message that came back to its queue",
    after="a connector ended, or its handler failed",
    attempts=21,
    first_pause=0.5,
    longest_pause=60.0,
    finally_="the dead letter queue, from which the Vault puts it back",
)

# Of a connector's messages that were put back, one begins at a time, so that one that ends the process is found alone.
SUSPECT = RetryPolicy(
    tries="a message that was put back",
    after="a connector ended after its processing had begun with all Vaults reachable",
    attempts=21,
    first_pause=1.0,
    longest_pause=1.0,
    finally_="a User Exception Message of type *Message Processing Error*",
    spread=0.0,
)
# Together longer than a link that flaps is down at a time: a unit of many calls would else begin anew each time.
LOST_CALL = RetryPolicy(
    tries="one call of a Vault, or one publish, that may be repeated",
    after="its connection was refused or lost",
    attempts=6,
    first_pause=0.1,
    longest_pause=1.0,
    finally_="waiting as for a Vault or broker that is away",
)
# A part that cannot run at all is looked at by a person, whom its log must not drown.
SUPERVISION = RetryPolicy(
    tries="a part of the system of `make start`",
    after="its process ended, or three probes in a row had no answer",
    attempts=UNBOUNDED,
    first_pause=1.0,
    longest_pause=60.0,
    finally_="`make stop`",
)
# A person waits for the page meanwhile.
SENT_FORM = RetryPolicy(
    tries="a form that was sent a second time",
    after="the first one is still being carried out",
    attempts=25,
    first_pause=0.05,
    longest_pause=0.5,
    finally_="a page that says so",
)

POLICIES = (
    PEER_AWAY,
    VAULT_LOOP,
    LOST_WORKER,
    BACKGROUND_WORK,
    INDEX_BUILDER,
    SUBSCRIPTION,
    DELIVERY,
    HANGING_RECEIVER,
    DOUBTFUL_REFUSAL,
    MARK_FAILED,
    OUTDATED_READ,
    LOST_RACE,
    UNIQUE_VALUE,
    UNIT_OF_WORK,
    TABLE_CHANGED,
    BUSY_TABLE,
    JOB,
    EMAIL,
    REDELIVERY,
    SUSPECT,
    LOST_CALL,
    SUPERVISION,
    SENT_FORM,
)
