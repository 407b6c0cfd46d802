"""What a figure is about: a machine, a line, or a whole site."""

from __future__ import annotations

from dataclasses import dataclass

from viewer.catalog import MachineInfo
from viewer.site_info import SiteInfo


@dataclass(frozen=True, slots=True)
class Unit:
    """A machine, or a line, or with neither the whole site.

    Attributes:
        line: name of the line; empty = not one line.
        machine: name of the machine; empty = not one machine.
    """

    line: str = ""
    machine: str = ""

    def machines(self, site: SiteInfo) -> list[MachineInfo]:
        """Machines of the site that belong to it, in the order of the site files.

        Raises:
            KeyError: the site has no such machine, or no such line.
        """
        if self.machine:
            return [site.machines[self.machine]]
        found = [one for one in site.machines.values() if not self.line or one.line == self.line]
        if not found and self.line:
            raise KeyError(self.line)
        return found
