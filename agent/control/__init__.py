"""What other commands ask a running process: HTTP over a Unix socket in its state folder.

`server` answers, `client` asks. What a part of the agent does on request is a `Handler` of its own file here, put into
one table of routes by the collector.
"""
