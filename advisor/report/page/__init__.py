"""A ranking as a page for a browser: its data, its templates, its charts.

`data` makes the data, `view` what the templates show of them, `charts` the charts,
`library` the charting library, `document` the file that has all of it.
"""
