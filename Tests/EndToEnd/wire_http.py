"""A provider by the standard library's own server, for tests whose providers must think rather than be scripted."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class HTTPProvider(ThreadingHTTPServer):
    """Serves from a free port of 127.0.0.1 on, with a thread for each connection."""

    daemon_threads = True

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.address = "127.0.0.1:%d" % self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()


class HTTPHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass
