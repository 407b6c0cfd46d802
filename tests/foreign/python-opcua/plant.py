"""An OPC UA server that is not ours: FreeOpcUa's python-opcua (PyPI `opcua`).

Environment: PORT (needed), COUNTERS (default 0), PERIOD_MS of the counters (default 1000). Prints one JSON line when it
listens; ends on SIGTERM.
"""

import json
import logging
import os
import signal
import threading
import uuid
import warnings
from datetime import UTC, datetime

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

from opcua import Server, ua  # noqa: E402

WHEN = datetime(2026, 1, 2, 3, 4, 5, 678000)  # noqa: DTZ001 (python-opcua takes naive UTC)
VALUES = {
    "Boolean": [True, False],
    "SByte": [-128, 127],
    "Byte": [0, 255],
    "Int16": [-32768, 32767],
    "UInt16": [0, 65535],
    "Int32": [-(2**31), 2**31 - 1],
    "UInt32": [0, 2**32 - 1],
    "Int64": [-(2**63), 2**63 - 1],
    "UInt64": [0, 2**64 - 1],
    "Float": [1.5, -3.4028234663852886e38],
    "Double": [0.1, 1e308],
    "String": ["", "한글 프레스 1호기"],
    "DateTime": [WHEN],
    "Guid": [uuid.UUID("72962b91-fa75-4ae6-8d28-b404dc7daf63")],
    "ByteString": [b"\x00\x01\xfe\xff"],
    "LocalizedText": [ua.LocalizedText("정상 가동")],
    "QualifiedName": [ua.QualifiedName("Press", 2)],
    "NodeId": [ua.NodeId("Double0", 2)],
    "StatusCode": [ua.StatusCode(0x808C0000)],
}


def text(kind: str, value: object) -> object:
    """The value as the agent is to deliver it."""
    match kind:
        case "DateTime":
            return value.replace(tzinfo=UTC).isoformat()
        case "Guid":
            return str(value)
        case "ByteString":
            return value.hex()
        case "LocalizedText":
            return value.Text
        case "QualifiedName":
            return f"{value.NamespaceIndex}:{value.Name}"
        case "NodeId":
            return value.to_string()
        case "StatusCode":
            return f"0x{value.value:08X}"
    return value


def main() -> None:
    """Serve until SIGTERM."""
    server = Server()
    port = int(os.environ["PORT"])
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/plant")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = server.register_namespace("urn:foreign:python")
    plant = server.get_objects_node().add_object(ua.NodeId("Plant", index), f"{index}:Plant")
    values = []
    for kind, several in VALUES.items():
        for number, value in enumerate(several):
            name = f"{kind}{number}"
            node = plant.add_variable(ua.NodeId(name, index), f"{index}:{name}", value, ua.VariantType[kind])
            values.append({"name": name, "type": kind, "value": text(kind, value)})
    plant.add_variable(ua.NodeId("List", index), f"{index}:List", [1.5, 2.5, 3.5], ua.VariantType.Double)
    low_high = ua.Range()
    low_high.Low, low_high.High = -20.0, 900.0
    plant.add_variable(ua.NodeId("Span", index), f"{index}:Span", low_high)
    counters = [
        plant.add_variable(ua.NodeId(f"Counter{i}", index), f"{index}:Counter{i}", 0, ua.VariantType.UInt32)
        for i in range(int(os.environ.get("COUNTERS", "0")))
    ]
    server.start()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    endpoint = f"opc.tcp://127.0.0.1:{port}/plant"
    print(json.dumps({"endpoint": endpoint, "namespace": "urn:foreign:python", "values": values}), flush=True)
    count = 0
    while not stop.wait(int(os.environ.get("PERIOD_MS", "1000")) / 1000):
        count += 1
        for node in counters:
            node.set_value(ua.Variant(count, ua.VariantType.UInt32))
    server.stop()


main()
