"""Side by side with the rivals, in one run: `make bench`, or `python -m benchmarks NAME ...` for some."""
