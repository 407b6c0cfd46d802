"""OPC UA: subscriptions, cyclic reads, events and history of one server.

Where to look:

- The link: `link` opens everything; `session`, `channel`, `messages` and `failures` talk; `resume` is what a later link
  continues from; `outbox` is the way to the consumer; `service_level` and `reverse` are other ways to a server.
- What to ask for: `config`, `address`, `identity` (which node a tag is), `plan` (without a server), `limits`.
- Data changes: `subscriptions` (all of a link), `subscription` (one), `items`, `ledger` (sequence numbers), `intake`;
  `reading` for cyclic reads.
- Bytes to columns: `decode` and what it stands on, `columnar/`.
- Values with parts, such as arrays and structures: `values/`.
- Events and alarms: `events/`. History: `history/`.
- `browse` and `properties` read what a server says of its variables; `security/` holds policies and certificates.
"""
