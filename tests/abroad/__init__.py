"""What nobody here wrote: files of others in a clone that the user has, servers and a small model from package indexes.

None of it is part of the suite: each module is a target of the Makefile.
"""
