"""What is wrong with an installation, and what to do; nothing is changed by looking."""
