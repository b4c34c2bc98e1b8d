"""The real parts that integration tests run on: each started once a run, shared, ended with it."""
