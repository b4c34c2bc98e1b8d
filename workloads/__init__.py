"""The programs inside the pods."""
