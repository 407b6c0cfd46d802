"""asyncua's vocabulary without its annotations, which its own constructors do not keep to."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeAlias

from asyncua import ua as _ua
from asyncua.client.client import Client as _Client

logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)  # what goes wrong is an error of the link, told once
ua: Any = _ua
Client: Any = _Client
if TYPE_CHECKING:
    DataValue: TypeAlias = Any
    LocalizedText: TypeAlias = Any
    MonitoredItemCreateRequest: TypeAlias = Any
    NodeId: TypeAlias = Any
else:
    DataValue = _ua.DataValue
    LocalizedText = _ua.LocalizedText
    MonitoredItemCreateRequest = _ua.MonitoredItemCreateRequest
    NodeId = _ua.NodeId
