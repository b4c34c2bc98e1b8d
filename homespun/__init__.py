"""The words that all wings speak: kinds, clients, what a machine ought to be. Imports no wing."""
