"""The machine at the other end of ssh: connection, rsync, job, watchdog."""
