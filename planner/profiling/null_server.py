"""A server that does nothing: reads each request to its end and answers 200 with two bytes.

Run as a script, in a process of its own and without this package (python -I null_server.py), so that it starts
in a few milliseconds. It prints its port and serves, one thread per connection, until its stdin ends; so it
cannot outlive the process that started it.
"""

import contextlib
import socket
import sys
import threading

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
_LENGTH = b"\r\nContent-Length: "


def _answer(connection: socket.socket) -> None:
    buffer = bytearray(256 * 1024)
    with contextlib.suppress(ConnectionError), connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            head = b""
            while (end := head.find(b"\r\n\r\n")) < 0:
                count = connection.recv_into(buffer)
                if not count:
                    return
                head += buffer[:count]
            start = head.index(_LENGTH) + len(_LENGTH)
            missing = int(head[start : head.index(b"\r", start)]) - (len(head) - end - 4)
            while missing > 0:
                count = connection.recv_into(buffer)
                if not count:
                    return
                missing -= count
            connection.sendall(_ANSWER)


def main() -> None:
    """Serve on a free port of the loopback interface until stdin ends."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()

        def accept() -> None:
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=_answer, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
