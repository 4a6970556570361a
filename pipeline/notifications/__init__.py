"""Notifications of how a run ended: by webhook, or by a command."""
