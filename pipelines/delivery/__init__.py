"""From the journal to the broker and back: what is sent when, over which session, and what came of it."""
