"""What `make up`, `make down` and `make doctor` run: thin; may import all, nothing imports it."""
