"""Topics and record identity: `sf/<company>/<site>/<agent>/{data,stored,rejected,birth,order,order/answer}`.

What is shared with another destination has topics of its own: records `…/shared/<destination>`, and below it `stored`,
`rejected` and `birth`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

ROOT: Final = "sf"
BRIDGE_GROUP: Final = "$share/bridge/"
DATA_FILTER: Final = f"{ROOT}/+/+/+/data"
_SHARED: Final = "shared"


def shared_filter(destination: str) -> str:
    """Records of all agents for one destination."""
    return f"{ROOT}/+/+/+/{_SHARED}/{destination}"


class RecordId(NamedTuple):
    """Identity of a record, unique for ever.

    Attributes:
        epoch: 32 hex digits drawn at random at each process start.
        counter: position within the epoch, from 1.
    """

    epoch: str
    counter: int

    def __str__(self) -> str:
        """`epoch:counter`, as it stands in the User Property `record` and in `…/stored`."""
        return f"{self.epoch}:{self.counter}"

    @classmethod
    def parse(cls, text: str) -> RecordId:
        """The inverse of `str`.

        Raises:
            ValueError: the text is not `epoch:counter`.
        """
        epoch, _, counter = text.partition(":")
        if len(epoch) != 32 or not counter.isdigit():  # noqa: PLR2004 - 128 bits in hex
            msg = f"not a record id: {text[:80]!r}"
            raise ValueError(msg)
        return cls(epoch, int(counter))


@dataclass(frozen=True, slots=True)
class AgentTopics:
    """The topics of one agent; the broker's ACL binds it to this prefix.

    Attributes:
        company: the tenant.
        site: of the company.
        agent: of the site.
        destination: what is shared with whom; empty = the agent's own data.
    """

    company: str
    site: str
    agent: str
    destination: str = ""

    @property
    def prefix(self) -> str:
        """`sf/<company>/<site>/<agent>`, and `/shared/<destination>` where there is one."""
        own = f"{ROOT}/{self.company}/{self.site}/{self.agent}"
        return f"{own}/{_SHARED}/{self.destination}" if self.destination else own

    @property
    def client_id(self) -> str:
        """At the broker; an agent has one for each destination."""
        return f"sf-{self.agent}-{self.destination}" if self.destination else f"sf-{self.agent}"

    @property
    def data(self) -> str:
        """Records: line protocol, byte for byte what the store gets."""
        return self.prefix if self.destination else f"{self.prefix}/data"

    @property
    def stored(self) -> str:
        """Ids of records the store has, one a line."""
        return f"{self.prefix}/stored"

    @property
    def rejected(self) -> str:
        """JSON: a line the store refuses, and why."""
        return f"{self.prefix}/rejected"

    @property
    def birth(self) -> str:
        """Retained JSON: who this agent is and what it reads."""
        return f"{self.prefix}/birth"

    @property
    def order(self) -> str:
        """What viewers want of its alarms (`pipelines.orders`)."""
        return f"{self.prefix}/order"

    @property
    def answer(self) -> str:
        """What became of that."""
        return f"{self.order}/answer"

    @classmethod
    def of(cls, topic: str) -> AgentTopics:
        """The agent, and destination, that a topic of records belongs to.

        Raises:
            ValueError: it is not one of ours.
        """
        match topic.split("/"):
            case [root, company, site, agent, _] if root == ROOT:
                return cls(company, site, agent)
            case [root, company, site, agent, kind, destination] if (root, kind) == (ROOT, _SHARED):
                return cls(company, site, agent, destination)
            case _:
                msg = f"not a topic of an agent: {topic[:120]!r}"
                raise ValueError(msg)
