"""The mesh as resources: a tailnet's policy and devices, over the clients of its control server."""
