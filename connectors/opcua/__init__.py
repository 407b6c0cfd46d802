"""OPC UA: subscriptions and cyclic reads."""
