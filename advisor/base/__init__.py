"""What every room may use: arrays, errors, files, resources, time, interrupts."""
