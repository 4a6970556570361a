"""Tells people and programs how a run ended: by webhook, and by a command."""
