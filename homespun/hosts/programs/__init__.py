"""Programs that run on a machine, alone, on its own Python (3.8 and later): they are brought there as they are."""
