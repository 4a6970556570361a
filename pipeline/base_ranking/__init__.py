"""Measures transfer: how well images are told apart by the features of a frozen base."""
