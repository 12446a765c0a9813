"""What comes back from a rented machine: data of a stranger's, bounded in size.

Nothing of it lands outside the folder that is meant for it, no link is made or followed,
and nothing gets a name that a program here would obey.
"""
