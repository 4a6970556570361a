"""Ranks bases by transfer: how well a probe on their frozen features classifies the images."""
