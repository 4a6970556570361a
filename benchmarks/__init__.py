"""What is measured, how, and the last results. Not part of the tests."""
