"""How Modbus bytes travel: one framing (MBAP, RTU, ASCII) over one pipe (stream, datagrams, serial port)."""
