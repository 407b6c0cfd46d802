"""`python -m benchmarks.listener HOST PORT TOPIC`: somebody who listens, in a process of his own."""

from __future__ import annotations

import sys

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion


def main() -> None:
    """Subscribe and say `ready`."""
    host, port, topic = sys.argv[1:]
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_connect = lambda *_: client.subscribe(topic, 1)
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.connect(host, int(port))
    client.loop_forever()


if __name__ == "__main__":
    main()
