"""Looking in from outside: hooks that are called at named points, and read-only views.

hooks: what can be listened to. snapshot: the numbers of a runtime at one moment.
"""
