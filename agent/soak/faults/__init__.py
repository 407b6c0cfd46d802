"""One module per fault, each registered in `agent.soak.registry`."""
