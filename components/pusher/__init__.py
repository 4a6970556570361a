"""The Pusher: a blessed model becomes what servers that watch staging load."""
