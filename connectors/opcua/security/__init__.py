"""What makes an OPC UA connection trustworthy: own certificate, trust list, endpoint choice, identity."""
