"""Services: the work on accounts, books and voices. The routes call nothing else.

A service takes a session and the request's values; it returns plain values that need no session. A
service commits every write with `changes.commit`.
"""
