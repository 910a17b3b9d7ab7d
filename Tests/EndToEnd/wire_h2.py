"""A provider that speaks HTTP/2, told what to do in the words of HTTP/1.1: what a transcript says once is said so too."""

import contextlib
import select
import socket
import struct
import threading
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from gateway import DEADLINE
from wire import Message, Provider

# Fields that say of a connection what frames say here (RFC 9113 §8.2.2).
OF_THE_CONNECTION = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}


class Connection(threading.Thread):
    """Reads frames as they come, and sends what waits as the windows open. All else takes the lock."""

    def __init__(self, plain, context):
        super().__init__(daemon=True)
        self.socket = plain
        self.context = context
        self.changed = threading.Condition()
        self.streams = {}
        self.is_open = True
        self.is_hard = False
        config = h2.config.H2Configuration(
            client_side=False, header_encoding="latin-1", validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.h2 = h2.connection.H2Connection(config)
        self.start()

    def run(self):
        try:
            if self.context:
                self.socket.settimeout(DEADLINE)
                self.socket = self.context.wrap_socket(self.socket, server_side=True)
                assert self.socket.selected_alpn_protocol() == "h2"
            self.socket.setblocking(False)
            with self.changed:
                self.h2.initiate_connection()
                self.flush()
            while self.is_open:
                pending = getattr(self.socket, "pending", lambda: 0)()
                if not pending:
                    select.select([self.socket], [], [], 0.05)
                with self.changed:
                    if self.is_open:
                        self.hear()
        except (OSError, ValueError, AssertionError):
            pass
        self.is_open = False
        with contextlib.suppress(OSError, ValueError):
            if not self.is_hard:
                # What the peer has sent is read before the end: else that is a reset, and may overtake the answer.
                self.socket.shutdown(socket.SHUT_WR)
                self.socket.settimeout(1)
                while self.socket.recv(1 << 16):
                    pass
        with self.changed:
            self.socket.close()
            self.changed.notify_all()

    def hear(self):
        try:
            data = self.socket.recv(1 << 16)
        except (BlockingIOError, OSError) as fault:
            if isinstance(fault, BlockingIOError) or "did not complete" in str(fault):
                return
            data = b""
        if not data:
            self.is_open = False
            self.changed.notify_all()
            return
        for event in self.h2.receive_data(data):
            stream = self.streams.get(getattr(event, "stream_id", None))
            match event:
                case h2.events.RequestReceived():
                    self.streams[event.stream_id] = Stream(self, event.stream_id, event.headers)
                case h2.events.DataReceived():
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    stream.body += event.data
                case h2.events.StreamEnded():
                    stream.is_whole = True
                case h2.events.StreamReset():
                    stream.is_reset = True
                case h2.events.ConnectionTerminated():
                    self.is_open = False
        self.flush()
        self.changed.notify_all()

    def flush(self):
        """Sends what the windows and the socket take; the rest waits for the next frame."""
        for stream in list(self.streams.values()):
            stream.flush()
        data = self.h2.data_to_send()
        try:
            self.socket.setblocking(True)
            self.socket.sendall(data)
            self.socket.setblocking(False)
        except (OSError, ValueError):
            self.is_open = False

    def close(self, hard=False):
        with self.changed:
            self.is_hard = hard
            if hard:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                self.flush()
            self.is_open = False
            self.changed.notify_all()
        self.join(DEADLINE)


class Stream:
    """One request and its answer, with the doings of `wire.ProviderConnection`."""

    def __init__(self, connection, number, fields):
        self.connection = connection
        self.number = number
        pseudo = {name: value for name, value in fields if name.startswith(":")}
        lines = [f"{pseudo[':method']} {pseudo[':path']} HTTP/1.1", f"Host: {pseudo[':authority']}"]
        lines += [f"{name}: {value}" for name, value in fields if not name.startswith(":")]
        self.head = Message("\r\n".join(lines).encode("latin-1"))
        self.body = b""
        self.is_whole = self.is_taken = self.is_reset = False
        # The answer.
        self.raw = b""
        self.out = b""
        self.framing = None
        self.ends = self.has_ended = False

    def send(self, data):
        """Bytes of an answer as HTTP/1.1 has it."""
        with self.connection.changed:
            self.raw += data
            while self.framing is None and b"\r\n\r\n" in self.raw:
                head, _, self.raw = self.raw.partition(b"\r\n\r\n")
                self.send_head(Message(head))
            if self.framing is not None:
                self.take_body()
            self.connection.flush()

    def send_head(self, head):
        fields = [(":status", str(head.status))]
        named = {name.strip().lower() for value in head.all("connection") for name in value.split(",")}
        fields += [field for field in head.fields if field[0] not in OF_THE_CONNECTION | named]
        self.connection.h2.send_headers(self.number, fields)
        if head.status < 200:
            return
        self.framing = "close"
        if (head["transfer-encoding"] or "").lower() == "chunked":
            self.framing = "chunks"
        elif head["content-length"] is not None:
            self.framing = int(head["content-length"])
        if head.status in (204, 304):
            self.framing = 0
        self.ends = self.framing == 0

    def take_body(self):
        if self.framing == "chunks":
            while b"\r\n" in self.raw:
                size, _, rest = self.raw.partition(b"\r\n")
                size = int(size.split(b";")[0], 16)
                if size == 0:
                    self.ends = True
                    return
                if len(rest) < size + 2:
                    return
                self.out += rest[:size]
                self.raw = rest[size + 2 :]
        else:
            self.out += self.raw
            if self.framing != "close":
                self.framing -= len(self.raw)
                self.ends = self.framing <= 0
            self.raw = b""

    def flush(self):
        """With the lock: gives frames out as the windows let."""
        if self.has_ended or self.is_reset or self.framing is None:
            return
        try:
            while self.out:
                room = self.connection.h2.local_flow_control_window(self.number)
                count = min(room, self.connection.h2.max_outbound_frame_size, len(self.out))
                if count <= 0:
                    return
                self.connection.h2.send_data(self.number, self.out[:count])
                self.out = self.out[count:]
            if self.ends:
                self.has_ended = True
                self.connection.h2.end_stream(self.number)
        except h2.exceptions.ProtocolError:
            self.is_reset = True

    def send_chunk(self, data):
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    @property
    def is_alone(self):
        return all(s is self or s.has_ended or s.is_reset for s in self.connection.streams.values())

    def give_up(self):
        with self.connection.changed:
            self.connection.h2.reset_stream(self.number, h2.errors.ErrorCodes.INTERNAL_ERROR)
            self.is_reset = True
            self.connection.flush()

    def close(self):
        """The end of an answer that nothing else ends, or of the connection."""
        if self.framing == "close" and not self.has_ended:
            with self.connection.changed:
                self.ends = True
                self.connection.flush()
        elif self.is_alone:
            self.connection.close()
        else:
            self.give_up()

    def reset(self):
        if self.is_alone:
            self.connection.close(hard=True)
        else:
            self.give_up()

    def waits_for_close(self):
        """Returns when the stream has been given up, or its connection."""
        with self.connection.changed:
            done = self.connection.changed.wait_for(lambda: self.is_reset or not self.connection.is_open, DEADLINE)
            assert done, "the stream goes on"


class H2Provider(Provider):
    # Which connection a request comes on says nothing.
    tells_connections = False

    def __init__(self, tls):
        super().__init__(tls)
        if tls:
            tls.set_alpn_protocols(["h2"])

    def accept(self):
        plain = self.listener.accept()[0]
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections.append(Connection(plain, self.tls))

    def next_request(self):
        for connection in self.connections:
            with connection.changed:
                for stream in connection.streams.values():
                    if stream.is_whole and not stream.is_taken and not stream.is_reset:
                        return stream
        return None

    def read(self):
        end = time.monotonic() + DEADLINE
        while not (stream := self.next_request()):
            assert time.monotonic() < end, "no request came"
            if select.select([self.listener], [], [], 0.005)[0]:
                self.accept()
        stream.is_taken = True
        self.current, self.head, self.body = stream, stream.head, stream.body
        return True

    def has_request(self):
        while select.select([self.listener], [], [], 0)[0]:
            try:
                self.accept()
            except OSError:  # it refuses
                break
        time.sleep(0.02)
        return self.next_request() is not None

    def stop(self):
        for connection in self.connections:
            connection.close()
        self.listener.close()
