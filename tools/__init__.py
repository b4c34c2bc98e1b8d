"""Third-party commands and Python environments: pinned versions, and how each is obtained.

Standard library only: this runs before any environment exists.
"""
