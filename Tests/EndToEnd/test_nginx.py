"""nginx in front of synaxis, and what it does to streams."""

import shutil
import socket
import subprocess

import openai
import pytest

from gateway import DEADLINE, eventually
from wire import Reader, pass_events, post

STREAM = '{"model":"m","stream":true,"messages":[]}'
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


# As the performance guide has it, but for the ports.
GUIDE = """
upstream synaxis {
    least_conn;  # Load balance by least connections
    server localhost:8080 max_fails=3 fail_timeout=30s;
    keepalive 100;  # Keep connections open
}

server {
    location /v1/ {
        proxy_pass http://synaxis;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_buffering off;  # Required for SSE streaming
        proxy_read_timeout 120s;
    }
}
"""


class Nginx:
    def __init__(self, directory, upstream, buffering="", site=None):
        """`site`: an upstream and a server for it, as the guide has them; else one of ours with `buffering`."""
        program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
        assert program, "nginx is not installed: contrib/packages nginx"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        site = (site or self.site(buffering)).replace("localhost:8080", upstream)
        site = site.replace("server {\n", f"server {{\n    listen 127.0.0.1:{self.port};\n")
        file = directory / "nginx.conf"
        file.write_text(f"""
daemon off;
pid {directory}/nginx.pid;
error_log stderr;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  {site}
}}
""")
        self.child = subprocess.Popen([program, "-c", str(file), "-p", str(directory)], stdin=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{self.port}/v1"
        eventually(self.connect, "nginx listening").close()

    @staticmethod
    def site(buffering):
        return f"""
  upstream synaxis {{ server localhost:8080; keepalive 8; }}
  server {{
    location / {{
      proxy_pass http://synaxis;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host localhost;
      {buffering}
    }}
  }}
"""

    def connect(self):
        try:
            return socket.create_connection(("127.0.0.1", self.port), DEADLINE)
        except ConnectionRefusedError:
            return None

    def stop(self):
        self.child.terminate()
        self.child.wait(DEADLINE)


# With buffering left on it is X-Accel-Buffering that keeps a stream flowing.
@pytest.mark.parametrize("buffering", ["proxy_buffering off;", ""], ids=["unbuffered", "default"])
def test_events_pass_at_once(start, gateway, provider, tmp_path, buffering):
    at = gateway(provider)
    nginx = start(Nginx, tmp_path, "%s:%d" % at.address, buffering)
    reader = Reader(nginx.connect())
    reader.socket.sendall(post(STREAM))
    provider.read()
    provider.current.send(STREAM_HEAD)
    pass_events(reader, provider, 5)


def test_sdk_through_nginx(start, gateway, mock, tmp_path):
    at = gateway(mock("--fail 500"), mock("--gap-ms 1"))
    nginx = start(Nginx, tmp_path, "%s:%d" % at.address, "proxy_buffering off;")
    with openai.OpenAI(base_url=nginx.url, api_key="x", max_retries=0) as api:
        for _ in range(5):
            stream = api.chat.completions.create(model="m", messages=[], stream=True)
            assert "".join(chunk.choices[0].delta.content or "" for chunk in stream)
            assert api.chat.completions.create(model="m", messages=[]).choices


def test_the_guides_block_as_it_is_written(start, gateway, mock, tmp_path):
    """nginx sends its upstream's name as Host."""
    at = gateway(mock("--gap-ms 1"))
    nginx = start(Nginx, tmp_path, "%s:%d" % at.address, site=GUIDE)
    with openai.OpenAI(base_url=nginx.url, api_key="x", max_retries=0) as api:
        assert api.models.list().data
        stream = api.chat.completions.create(model="m", messages=[], stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream)


def test_client_leaves_behind_nginx(start, gateway, mock, tmp_path):
    slow = mock("--fail hang")
    at = gateway(slow)
    nginx = start(Nginx, tmp_path, "%s:%d" % at.address, "proxy_buffering off;")
    connection = nginx.connect()
    connection.sendall(post(STREAM))
    eventually(lambda: slow.stats["requests"] == 1, "the request at the provider")
    connection.close()
    eventually(lambda: slow.stats["cancelled"] == 1, "the provider being cancelled")
