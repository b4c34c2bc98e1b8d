"""The kinds of object that users apply: typed spec and status, from which the CRDs are generated.

A field exists only once it works; a kind changes only by adding.
"""
