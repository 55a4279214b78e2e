"""Remote viewing: a relay serves a run's capture over TCP, and a follower reads it on another machine.

`relay.py` answers one request at a time, which `follower.py` sends; `authenticator.py` and `keys.py` decide which
clients may connect; `listen_address.py` refuses to listen beyond this machine without keys, `http_address.py` to
serve a live page there without a token; `memory_guard.py` notices that the other end fills the memory;
`relay_process.py` runs a relay beside the process that serves a bus. May import history, capture and what they
import. Start with `relay.py`.
"""
