"""Which machines a sweep rents, and which jobs run on each."""
