"""What leaves this machine: one list, decided before anything is paid or copied.

=============== =====================================================================
`patterns`      lines in the syntax of ``.gitignore``
`ignored`       nested ignore files, read without git
`repository`    what git itself says of a work tree
`secret_names`  secrets by the names of their files
`tokens`        secrets by their text
`walk`          the tree, and what of it goes
`decide`        the list: tree and secrets together
`command`       the command of a job, against the list
`words`         the list in words
=============== =====================================================================
"""
