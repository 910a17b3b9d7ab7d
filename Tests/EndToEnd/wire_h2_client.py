"""A client that speaks HTTP/2, told what to do in the words of HTTP/1.1: what a transcript says once is said so too."""

import http

import h2.config
import h2.connection
import h2.errors
import h2.events

from wire import Cut, Message
from wire_h2 import OF_THE_CONNECTION


# RFC 9110 calls it otherwise than Python does.
PHRASES = {"422": "Unprocessable Content"}


class H2Client:
    """The doings of `wire.Reader` and of its socket, on one connection with one stream after the other."""

    def __init__(self, connection):
        self.plain = connection
        self.socket = self
        config = h2.config.H2Configuration(header_encoding="latin-1", validate_outbound_headers=False, normalize_outbound_headers=False)
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.flush()
        self.out = b""  # of a request's head, until it is complete
        self.left = 0  # of its body; None: chunks
        self.stream = 0
        self.asked = []
        self.heads = {}
        self.bodies = {}
        self.ended = {}  # True: in good form
        self.is_closed = False
        self._put_back = b""

    # What is sent

    def flush(self):
        self.plain.sendall(self.h2.data_to_send())

    def sendall(self, data):
        self.out += data
        while self.out:
            if self.left == 0:
                head, end, rest = self.out.partition(b"\r\n\r\n")
                if not end:
                    return
                self.out = rest
                self.send_head(Message(head))
            elif self.left is None:
                size, end, rest = self.out.partition(b"\r\n")
                if not end or len(rest) < int(size, 16) + 2:
                    return
                size = int(size, 16)
                self.send_body(rest[:size], size == 0)
                self.out = rest[size + 2 :]
                self.left = 0 if size == 0 else None
            else:
                piece, self.out = self.out[: self.left], self.out[self.left :]
                self.left -= len(piece)
                self.send_body(piece, self.left == 0)

    def send_head(self, head):
        method, path, _ = head.start.split(" ")
        fields = [(":method", method), (":scheme", "http"), (":authority", head["host"]), (":path", path)]
        named = {name.strip().lower() for value in head.all("connection") for name in value.split(",")}
        fields += [field for field in head.fields if field[0] not in OF_THE_CONNECTION | named | {"host"}]
        is_chunked = (head["transfer-encoding"] or "").lower() == "chunked"
        self.left = None if is_chunked else int(head["content-length"] or 0)
        self.stream = self.h2.get_next_available_stream_id()
        self.asked.append(self.stream)
        self.bodies[self.stream] = b""
        self.h2.send_headers(self.stream, fields, end_stream=self.left == 0)
        self.flush()

    def send_body(self, data, ends):
        while data or ends:
            room = min(self.h2.local_flow_control_window(self.stream), self.h2.max_outbound_frame_size, len(data))
            if data and room == 0:
                assert self.hear(), "the connection ended"
                continue
            if self.stream in self.ended:
                return
            self.h2.send_data(self.stream, data[:room], end_stream=ends and room == len(data))
            self.flush()
            if room == len(data):
                return
            data = data[room:]

    def close(self):
        """Gives the stream up; the connection stays."""
        if not self.is_closed:
            if self.asked and self.asked[-1] not in self.ended:
                self.h2.reset_stream(self.asked[-1], h2.errors.ErrorCodes.CANCEL)
                self.flush()
            else:
                self.plain.close()
            self.is_closed = True

    def setsockopt(self, *option):
        """It is about to be reset: the whole connection."""
        self.plain.setsockopt(*option)
        self.plain.close()
        self.is_closed = True

    # What comes

    def hear(self):
        try:
            data = self.plain.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        if not data:
            return False
        for event in self.h2.receive_data(data):
            match event:
                case h2.events.ResponseReceived():
                    status = dict(event.headers)[":status"]
                    lines = [f"HTTP/1.1 {status} {PHRASES.get(status) or http.HTTPStatus(int(status)).phrase}"]
                    lines += [f"{name}: {value}" for name, value in event.headers if name[0] != ":"]
                    self.heads[event.stream_id] = Message("\r\n".join(lines).encode("latin-1"))
                case h2.events.DataReceived():
                    self.bodies[event.stream_id] += event.data
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                case h2.events.StreamEnded():
                    self.ended[event.stream_id] = True
                case h2.events.StreamReset():
                    self.ended.setdefault(event.stream_id, event.error_code == 0)
        self.flush()
        return True

    def read_head(self, bodyless=False):
        self.reading = self.asked.pop(0)
        while self.reading not in self.heads:
            if self.reading in self.ended or not self.hear():
                raise Cut("in the head")
        return self.heads.pop(self.reading)

    def read_some(self):
        if self._put_back:
            piece, self._put_back = self._put_back, b""
            return piece
        while not self.bodies[self.reading]:
            if self.reading in self.ended:
                if self.ended[self.reading]:
                    return b""
                raise Cut("in the body")
            if not self.hear():
                raise Cut("in the body")
        piece, self.bodies[self.reading] = self.bodies[self.reading], b""
        return piece

    def put_back(self, piece):
        self._put_back = piece

    def read_rest(self):
        return b"".join(iter(self.read_some, b""))

    @property
    def raw(self):
        return self._put_back or self.bodies[self.reading]

    def closes(self):
        """An answer's end is its stream's: nothing else has to close."""
        return self.reading in self.ended
