"""Programs that run on a machine, alone, on its own Python (3.9 and later): they are brought there as they are."""
