"""What `make setup` runs between installing the packages and the first start."""
