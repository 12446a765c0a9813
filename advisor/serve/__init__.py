"""The page that is live: the report and its calculators, served to this machine alone."""
