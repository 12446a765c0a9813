"""Agents: the tools of `advisor mcp`, over the Model Context Protocol.

Another face beside the command line. What a tool answers is the document that the
command of that name prints with ``--json``; nothing is computed here.
"""
