"""The process: command line, configuration, supervision."""
