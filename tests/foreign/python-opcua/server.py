"""An OPC UA server that is not ours (PyPI opcua), with a given number of variables: `server.py COUNT`.

Under Objects/Hall: machines M0 … of 100 variables each, with a unit and a range, and a way back up from every machine.
Prints {"endpoint": …} and ends when its stdin closes.
"""

from __future__ import annotations

import json
import socket
import sys

from opcua import Server, ua


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    endpoint = f"opc.tcp://127.0.0.1:{port}/hall"
    server = Server()
    server.set_endpoint(endpoint)
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = server.register_namespace("urn:foreign:hall")
    hall = server.nodes.objects.add_object(index, "Hall")
    for number in range(int(sys.argv[1])):
        if number % 100 == 0:
            machine = hall.add_object(index, f"M{number // 100}")
            machine.add_reference(hall.nodeid, ua.ObjectIds.Organizes, forward=True, bidirectional=False)
        name = f"Temp {number % 100}"
        node = machine.add_variable(ua.NodeId(f"M{number // 100}.T{number % 100}", index), name, 20.5 + number)
        if number % 100 == 0:
            unit = ua.EUInformation()
            unit.NamespaceUri, unit.UnitId = "http://www.opcfoundation.org/UA/units/un/cefact", 4408652
            unit.DisplayName = ua.LocalizedText("°C")
            node.add_property(ua.NodeId(f"u{number}", index), ua.QualifiedName("EngineeringUnits", 0), unit)
            low_high = ua.Range()
            low_high.Low, low_high.High = -20.0, 900.0
            node.add_property(ua.NodeId(f"r{number}", index), ua.QualifiedName("InstrumentRange", 0), low_high)
    server.start()
    print(json.dumps({"endpoint": endpoint}), flush=True)
    sys.stdin.read()
    server.stop()


main()
