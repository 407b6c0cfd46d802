"""OPC UA: subscriptions, cyclic reads, events and history of one server.

Where to look:

- The link: `link` opens everything; `session`, `channel`, `messages` and `failures` talk; `resume` is what a later link
  continues from; `outbox` is the way to the consumer; `service_level` and `reverse` are other ways to a server.
- What to ask for: `config`, `address`, `identity` (which node a tag is), `plan` (without a server), `limits`.
- Data changes: `subscriptions` (all of a link), `subscription` (one), `items`, `ledger` (sequence numbers), `intake`;
  `reading` for cyclic reads.
- Bytes to columns: `decode`, `layouts`, `shapes`, `scalars`, `skip`, `columns`.
- Values with parts: `values`, `variants`, `flatten`, `definitions`, `typebook`.
- Events: `events`, `event_filter`, `event_fields`, `event_rows`, `event_tree`, `event_types`.
- History: `missing` (what, without a server), `backfill` (when), `history` (bytes).
- `browse` and `properties` read what a server says of its variables; `security` holds policies and certificates.
"""
