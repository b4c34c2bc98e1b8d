"""The page of the cloud: what there is, what state it is in, what to do about it, and a search box to try."""
