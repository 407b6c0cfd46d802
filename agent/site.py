"""The root of a configuration file: one site as one edge PC sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from agent.rules import PlacedError, check, check_together
from agent.serving import ServeSettings
from connectors.registry import AnyConnection
from pipelines.delivery.mqtt_settings import MqttSettings
from pipelines.derive.alarm_settings import AlarmSettings
from pipelines.derive.battery.settings import BatterySettings
from pipelines.derive.calibration import CalibrationSettings
from pipelines.derive.energy.settings import EnergySettings
from pipelines.derive.exposure_limits import ExposureSettings
from pipelines.derive.settings import CalendarSettings, DerivedSettings, Kpi
from pipelines.journal.journal import JournalSettings
from pipelines.place import Place, measurement_of
from pipelines.settings import EventSettings, Labels, Name, Settings, TagSettings
from pipelines.share.settings import ShareSettings
from viewer.entries.settings import EntrySettings

_MAX_PORT = 65535
_LISTS = ("connections", "alarms", "exposure")
"""Keys whose entries come from every file of a site."""


class MachineSettings(DerivedSettings):
    """A machine."""

    machine_class: Annotated[Name, Field(alias="class")]
    """Class of machine, for example `press`, `furnace`, `meter`; it becomes the measurement. Where the agent makes
    points of that name itself (`energy`, `battery`, `count` …) the measurement is `<class>_machine`."""
    line: Name | None = None
    """Production line; default: the site's `line`."""
    label: Labels = Labels()
    """What people see."""
    energy: EnergySettings | None = None
    """Its energy, CO2 and pieces by hour and lot; default: nobody meters it."""
    battery: BatterySettings | None = None
    """Tests on its channels, where it is a battery cycler."""
    calibration: CalibrationSettings | None = None
    """Calibration of its detectors: pages and the monthly report of safety say when it is due; default: not known."""


class AgentSettings(Settings):
    """This edge PC."""

    name: Name | None = None
    """Name in topics, unique in the site; default: a random id kept in the state folder."""
    confirm: Literal["stored", "broker"] = "stored"
    """When a record is released: `stored` when the store has it, `broker` on PUBACK (consumers not ours)."""
    drain_points_per_s: Annotated[int, Field(ge=0)] = 0
    """Limit of the backlog after an outage, points a second, for a line that others share; 0 = as fast as the store
    takes it. Live points go first either way."""
    alarm_orders: Literal["local", "mqtt"] = "local"
    """From where people may acknowledge and shelve alarms: `local` with `agent alarms`, or on a page that is served on
    this PC (`serve`); `mqtt` also on a page elsewhere, by way of the broker. The broker's access list then says who
    may, so that a login is needed there, and TLS where it is not on this PC."""


class Site(Settings):
    """One site: what is read, and where it goes."""

    company: Name
    """Company, the tenant: it stands in the topic and selects the database."""
    site: Name
    """Site (ISA-95)."""
    site_label: Labels = Labels()
    """What people see in place of `site`, such as 경산공장; addresses, topics and the store keep `site`."""
    line: Name | None = None
    """Production line of machines that name none."""
    machines: Annotated[dict[Name, MachineSettings], Field(min_length=1)]
    """Machines by name."""
    connections: Annotated[tuple[Annotated[AnyConnection, Field(discriminator="type")], ...], Field(min_length=1)]
    """Devices that are read."""
    calendar: CalendarSettings | None = None
    """Working time; default: nothing is known to be planned."""
    alarms: tuple[AlarmSettings, ...] = ()
    """Alarms over tags, see [alarms.md](alarms.md)."""
    exposure: tuple[ExposureSettings, ...] = ()
    """Gases whose 8-hour and 15-minute means are kept."""
    kpis: tuple[Kpi, ...] = ()
    """Key performance indicators that the site is judged by, by their codes: what the viewer shows under KPI 현황, see
    [kpi.md](kpi.md). The agent itself computes none of them."""
    share: Annotated[dict[Name, ShareSettings], Field(default_factory=dict)]
    """Destinations beside the own store, by name, and what each of them gets."""
    entry: EntrySettings | None = None
    """What people choose from who enter something by hand; default: reasons that fit every line."""
    serve: ServeSettings | None = None
    """Site server beside the agent; default: broker, store and screen are elsewhere."""
    agent: AgentSettings = AgentSettings()
    """This edge PC."""
    mqtt: MqttSettings = MqttSettings()
    """The broker."""
    journal: JournalSettings = JournalSettings()
    """The buffer on disk."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check(self)
        return self

    def place(self, connection: AnyConnection, tag: TagSettings | EventSettings) -> Place:
        """Where a tag, or a source of events, stands."""
        return self._place(tag.machine or connection.machine or "")

    def machine_places(self) -> dict[str, Place]:
        """Where each machine stands."""
        return {name: self._place(name) for name in self.machines}

    def _place(self, name: str) -> Place:
        machine = self.machines[name]
        return Place(
            measurement_of(machine.machine_class), self.company, self.site, machine.line or self.line or "", name
        )

    def places(self, connection: AnyConnection) -> list[Place]:
        """Where each tag of a connection stands, in table order."""
        return [self.place(connection, tag) for tag in connection.tag_list()]

    def event_places(self, connection: AnyConnection) -> list[Place]:
        """Where each source of events of a connection stands, in the order of its `event_list`."""
        return [self.place(connection, event) for event in connection.event_list()]

    def joined(self, other: Self) -> Self:
        """This site with the machines and connections of another file of the same site.

        Raises:
            PlacedError: the two are of different sites, or clash; the place is in the other file.
        """
        check_together(self, other)
        both = [one.placed_machines() for one in (self, other)]
        lists = {key: getattr(self, key) + getattr(other, key) for key in _LISTS}
        update = {"machines": both[0] | both[1], **lists}
        joined = self.model_copy(update=update)
        try:
            check(joined)
        except PlacedError as error:  # this site alone is sound, so the fault came with the other file
            moved = [fault._replace(place=_moved_back(fault.place, self)) for fault in error.faults]
            raise PlacedError(moved) from error
        return joined

    def placed_machines(self) -> dict[str, MachineSettings]:
        """Machines with their line filled in."""
        return {
            name: one if one.line else one.model_copy(update={"line": self.line}) for name, one in self.machines.items()
        }

    def at(self, endpoints: Mapping[str, str]) -> Self:
        """The same site with some connections elsewhere.

        Args:
            endpoints: `host:port` by connection name.

        Raises:
            ValueError: no such connection, or not `host:port`.
        """
        known = {one.name for one in self.connections}
        if unknown := endpoints.keys() - known:
            msg = f"no connection is called {min(unknown)!r}; there are {', '.join(sorted(known))}"
            raise ValueError(msg)
        moved = tuple(_moved(one, endpoints[one.name]) if one.name in endpoints else one for one in self.connections)
        return self.model_copy(update={"connections": moved})


def _moved_back(place: tuple[str | int, ...], first: Site) -> tuple[str | int, ...]:
    """A place in a joined site as it is in the second file."""
    top, *below = place
    if below and isinstance(below[0], int):
        below[0] -= len(getattr(first, str(top)))
    return (top, *below)


def _moved(connection: AnyConnection, endpoint: str) -> AnyConnection:
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) <= _MAX_PORT:
        msg = f"{endpoint!r} is not host:port"
        raise ValueError(msg)
    return connection.moved(host, int(port))
