"""What ought to be: the operator that turns applied objects into running parts."""
