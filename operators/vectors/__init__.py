"""`VectorCollection`s: what ought to be, and making it so."""
