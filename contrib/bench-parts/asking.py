"""Single requests, for what is measured one at a time."""
import http.client, time

from processes import PATH, body_of


def direct(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", PATH, body_of("plain"), {"Content-Type": "application/json"})
    return connection.getresponse().read()


KEPT = {}


def ask_once(port, model):
    """Milliseconds for one request on a kept connection."""
    for attempt in (1, 2):
        connection = KEPT.get(port) or http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        KEPT[port] = connection
        start = time.perf_counter()
        try:
            connection.request("POST", PATH, body_of(model), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
        except OSError:
            # The proxy was started anew.
            KEPT.pop(port).close()
            if attempt == 2:
                raise
            continue
        took = (time.perf_counter() - start) * 1000
        if answer.status != 200:
            raise RuntimeError(f"status {answer.status} on port {port} for {model}")
        return took
