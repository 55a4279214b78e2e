"""Remote viewing: a relay serves a run's capture over TCP, a follower reads it from another machine.

`relay.py` answers one question at a time; `authenticator.py` and `keys.py` decide who may ask;
`listen_address.py` refuses to listen beyond the machine without keys. May import history, capture and what they
import. Start with `relay.py`.
"""
