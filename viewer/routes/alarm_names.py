"""What people call alarms, what they are to do about them, and where to look."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from viewer.query.alarm_list import SHELVED, WAITING, AlarmKey
from viewer.query.unit import Unit
from viewer.routes.asked import unit_text
from viewer.routes.pages import machine_url
from viewer.site_info import AlarmInfo, SiteInfo
from viewer.words import Words, number_text

_AROUND_NS: Final = 10 * 60 * 10**9
"""A link to a machine shows so much before and after an alarm came."""
_MS: Final = 1_000_000


def alarm_url(site: SiteInfo, key: AlarmKey, path: str = "/alarm", **more: str) -> str:
    """Address of a page about one alarm."""
    return f"{path}?{urlencode({'unit': unit_text(site, Unit()), 'alarm': '/'.join(key), **more})}"


class AlarmNames:
    """What people call alarms, what they are to do, and where to look.

    Args:
        site: says so.
        words: of the reader.
    """

    def __init__(self, site: SiteInfo, words: Words) -> None:
        self._site, self._words = site, words
        self._known: Mapping[AlarmKey, AlarmInfo] = {(one.machine, one.name): one for one in site.alarms}

    def label(self, key: AlarmKey, message: str = "") -> str:
        """Of an alarm; one of a device has its message."""
        known = self._known.get(key)
        return self._words.label(known.label, known.name) if known else message or key[1]

    def machine(self, name: str) -> str:
        """Of a machine."""
        known = self._site.machines.get(name)
        return self._words.label(known.label, name) if known else name

    def priority(self, key: AlarmKey) -> str:
        """As it is configured; `info` where nobody said so."""
        return (self._known[key].priority if key in self._known else "") or "info"

    def safety(self, key: AlarmKey) -> bool:
        """Whether it is a safety alarm."""
        return key in self._known and self._known[key].safety

    def action(self, key: AlarmKey) -> str:
        """What to do; empty where nobody said so."""
        return self._words.label(self._known[key].action, "") if key in self._known else ""

    def ours(self, key: AlarmKey) -> bool:
        """Whether an agent keeps it, which takes what people do with it; a device keeps its own."""
        return key in self._known

    def value(self, value: float) -> str:
        """What was compared; most of what alarms watch is whole."""
        return number_text(int(value) if float(value).is_integer() else value)

    def tags(self, key: AlarmKey) -> Sequence[tuple[str, str, str]]:
        """Machine, name and label of the tags that it watches."""
        return [(*ref, self._tag(*ref)) for ref in self._known[key].tags] if key in self._known else []

    def unit(self, key: AlarmKey) -> str:
        """Engineering unit of its value."""
        for machine, tag in self._known[key].tags if key in self._known else ():
            known = self._site.machines.get(machine)
            return known.tags[tag].unit if known and tag in known.tags else ""
        return ""

    def moment(self, machine: str, time_ns: int) -> str:
        """Address of a machine's page around a moment."""
        start, end = ((time_ns + one) // _MS for one in (-_AROUND_NS, _AROUND_NS))
        return f"{machine_url((*self._site.key, machine))}?from={start}&to={end}"

    def page(self, key: AlarmKey) -> str:
        """Address of the page about one alarm."""
        return alarm_url(self._site, key)

    def limit(self, key: AlarmKey) -> str:
        """When it comes, in signs; empty where nobody said so."""
        return self._known[key].limit if key in self._known else ""

    def commands(self, key: AlarmKey, state: str) -> list[str]:
        """What is typed on the edge PC to do what can be done with it."""
        deeds = ["unshelve"] if state == SHELVED else ["ack"] if state in WAITING else []
        typed = [self._command(one, key) for one in deeds]
        shelving = [] if state == SHELVED or self.safety(key) else [f"{self._command('shelve', key)} --for 1h"]
        return typed + shelving

    def _command(self, action: str, key: AlarmKey) -> str:
        return f"agent alarms {action} {shlex.quote('/'.join(key))} --by {self._words('alarms_who')}"

    def _tag(self, machine: str, tag: str) -> str:
        known = self._site.machines.get(machine)
        return self._words.label(known.tags[tag].label, tag) if known and tag in known.tags else tag
