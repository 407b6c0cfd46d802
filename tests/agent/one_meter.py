"""The smallest site of an agent: one meter, whose device is not there."""

SITE = """
company: demo
site: gyeongsan
machines:
  meter: {class: meter, label: {ko: 전력량계, en: Meter}}
connections:
  - name: meter
    type: modbus
    host: 127.0.0.1
    port: 1
    machine: meter
    tags:
      - {name: power, table: input, address: 12, datatype: float32}
"""
