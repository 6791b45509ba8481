"""What the service does with accounts, books and voices: the routes call nothing else.

A service takes a session, and what was asked for; it returns values that are done with the
database. Whatever it writes it commits by `changes.commit`.
"""
