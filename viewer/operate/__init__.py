"""What people do about alarms on a page: ordered of the agent, which decides, and shown as the agent answered."""
