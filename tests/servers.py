"""Web servers that answer as no server should."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_OK = b"HTTP/1.1 200 OK\r\n"
_PAGE = _OK + b"Content-Type: text/html\r\n"
STRANGE = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "a line of noise": bytes(range(256)) * 20,
    "an endless status": b"HTTP/1.1 200 " + b"x" * 200_000,
    "a status of letters": b"HTTP/1.1 abc OK\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "a header without a colon": _PAGE + b"X\r\n\r\nx",
    "a header with a NUL": _OK + b"Content-Type: text/html; charset=a\0b\r\n\r\nx",
    "a name with a blank": _PAGE + b"X y: z\r\n\r\nx",
    "headers without an end": _PAGE + b"X: y\r\n" * 50_000,
    "a length of letters": _PAGE + b"Content-Length: x\r\n\r\nx",
    "a length below nothing": _PAGE + b"Content-Length: -1\r\n\r\nx",
    "two lengths": _PAGE + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "an unknown transfer": _PAGE + b"Transfer-Encoding: gzip\r\n\r\nx",
    "a passage of letters": _PAGE + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nx",
    "a passage that ends early": _PAGE + b"Transfer-Encoding: chunked\r\n\r\nff\r\nx",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "no redirection": b"HTTP/1.1 302 Found\r\n\r\n",
    "a redirection to noise": b"HTTP/1.1 302 Found\r\nLocation: http://\xad\xff/\r\n\r\n",
    "a redirection without a host": b"HTTP/1.1 302 Found\r\nLocation: http:///\r\n\r\n",
    "a redirection to an empty label": b"HTTP/1.1 302 Found\r\nLocation: http://a..b/\r\n\r\n",
    "a redirection to a long name": b"HTTP/1.1 302 Found\r\nLocation: http://" + b"a" * 70_000 + b"/\r\n\r\n",
    "a type in parts": _OK + b"Content-Type: image/x; charset*0*=undefined'en'%00; charset*1=y\r\n\r\nx",
    "a type of semicolons": _OK + b'Content-Type: image/x"' + b';"' * 40_000 + b"\r\n\r\nx",
    "a packing that is none": _PAGE + b"Content-Encoding: \xff\r\n\r\nx",
}


@contextmanager
def strange_server(sent: bytes) -> Iterator[str]:
    """The address of a server that sends these bytes to whoever asks, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):  # until it is closed
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        connection.recv(65536)
                        connection.sendall(sent)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        listener.shutdown(socket.SHUT_RDWR)
