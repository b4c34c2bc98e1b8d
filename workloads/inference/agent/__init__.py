"""The agent beside each Triton: fetches, verifies, loads, unloads and heals what the configuration asks for.

`plan` decides, without I/O; `loop` looks and acts; `triton` talks to the server; `app` answers for it.
"""
