"""Runs moto_server on a free loopback port until standard input closes, so that no server outlives the test that started it.

The port is in the log: werkzeug binds before it writes "Running on http://127.0.0.1:PORT".
"""

import os
import sys
import threading

from moto.server import main


def leave_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=leave_with_parent, daemon=True).start()
main(["-H", "127.0.0.1", "-p", "0"])
