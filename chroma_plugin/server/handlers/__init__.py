"""What each route does: functions from a `Call` to an `Answer`, run in a thread."""
