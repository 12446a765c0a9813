"""The use cases: what is asked for as plain data, and what is made of it."""
