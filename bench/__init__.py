"""Measured claims: each program prints a table and writes JSON. Ratios are of one run, side by side."""
