"""`synaxis batch`: a Batch file run through an instance, in every way it can go wrong."""

import json
import os
import resource
import signal
import socket
import subprocess
import threading
import time

import pytest

from gateway import BINARY as SYNAXIS
from gateway import DEADLINE


class Instance:
    """An HTTP server that answers by what `answer(custom prompt, times asked)` says."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []
        self.heads = []
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection):
        raw = b""
        with connection:
            while True:
                while b"\r\n\r\n" not in raw:
                    try:
                        got = connection.recv(1 << 16)
                    except ConnectionResetError:
                        return
                    if not got:
                        return
                    raw += got
                head, _, raw = raw.partition(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                while len(raw) < length:
                    raw += connection.recv(1 << 16)
                body, raw = json.loads(raw[:length]), raw[length:]
                with self.lock:
                    self.heads.append(head.decode())
                    self.asked.append(body["input"])
                    times = self.asked.count(body["input"])
                status, fields, text = self.answer(body["input"], times)
                if status is None:
                    return
                text = text if isinstance(text, bytes) else text.encode()
                head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{fields}Content-Length: {len(text)}\r\n\r\n"
                try:
                    connection.sendall(head.encode() + text)
                except OSError:
                    return

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # It was stopped before.
        self.listener.close()


def good(name, times=1):
    return 200, f"X-Request-ID: req_{name}\r\n", '{"object":"list",\r\n "data":["%s"],"usage":{"prompt_tokens":3}}' % name


def line(name, **more):
    body = {"model": "m", "input": name, **more}
    return json.dumps({"custom_id": name, "method": "POST", "url": "/v1/embeddings", "body": body})


@pytest.fixture
def batch(tmp_path, start):
    """Runs `synaxis batch` over lines, against what answers so."""

    class Batch:
        input = tmp_path / "in.jsonl"
        output = tmp_path / "out.jsonl"

        def serve(self, answer=good):
            self.instance = start(Instance, answer)

        def write(self, lines):
            self.input.write_text("".join(text + "\n" for text in lines))

        def arguments(self, *more):
            url = f"http://127.0.0.1:{self.instance.port}"
            return [SYNAXIS, "batch", str(self.input), "-o", str(self.output), "--url", url, *more]

        def run(self, *more, env=None):
            return subprocess.run(self.arguments(*more), capture_output=True, text=True, timeout=DEADLINE * 4, env=env)

        def answers(self):
            return [json.loads(text) for text in self.output.read_text().splitlines()]

    return Batch()


def test_answers_in_the_batch_output_format(batch):
    batch.serve()
    batch.write([line("a"), "", line("b\\/\u00e9"), line("c") + "\r"])
    done = batch.run("-c", "2", "--key", "secret")
    assert done.returncode == 0, done.stderr
    answers = {answer["custom_id"]: answer for answer in batch.answers()}
    assert set(answers) == {"a", "b\\/\u00e9", "c"}
    assert answers["a"]["response"] == {
        "status_code": 200,
        "request_id": "req_a",
        "body": {"object": "list", "data": ["a"], "usage": {"prompt_tokens": 3}},
    }
    assert answers["a"]["error"] is None and answers["a"]["id"].startswith("batch_req_")
    assert "answered    3\n" in done.stdout and "9 in, 0 out" in done.stdout
    head = batch.instance.heads[0]
    assert head.startswith("POST /v1/embeddings HTTP/1.1\r\n") and "Authorization: Bearer secret" in head


def test_the_key_of_the_environment(batch):
    batch.serve()
    batch.write([line("a")])
    assert batch.run(env={"OPENAI_API_KEY": "k"}).returncode == 0
    assert "Authorization: Bearer k" in batch.instance.heads[0]


def test_goes_on_with_what_is_lacking(batch):
    batch.serve()
    batch.write([line(str(n)) for n in range(10)])
    assert batch.run().returncode == 0
    whole = batch.output.read_bytes()
    # Four whole lines, and one that was torn.
    lines = whole.splitlines(keepends=True)
    batch.output.write_bytes(b"".join(lines[:4]) + lines[4][:17])
    batch.instance.asked.clear()
    done = batch.run()
    assert done.returncode == 0 and "this run    6 in" in done.stdout and "30 in" in done.stdout
    assert sorted(answer["custom_id"] for answer in batch.answers()) == sorted(str(n) for n in range(10))
    assert len(batch.instance.asked) == 6
    # Nothing is left to do.
    batch.instance.asked.clear()
    assert batch.run().returncode == 0 and not batch.instance.asked


def test_killed_at_any_moment(batch):
    def slowly(name, times):
        time.sleep(0.005)
        return good(name)

    batch.serve(slowly)
    names = [str(n) for n in range(120)]
    batch.write([line(name) for name in names])
    for n in range(6):
        process = subprocess.Popen(batch.arguments("-c", "3"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.03 + 0.02 * n)
        process.kill()
        process.wait()
    assert batch.run("-c", "8").returncode == 0
    assert sorted(answer["custom_id"] for answer in batch.answers()) == sorted(names)


def test_a_rate_limit_is_waited_out(batch):
    def limited(name, times):
        if name.startswith("a") and times == 1 and name != "a9":
            return 429, "Retry-After: 1\r\n", '{"error":{"message":"slow down"}}'
        return good(name)

    batch.serve(limited)
    batch.write([line(f"a{n}") for n in range(4)] + [line(f"b{n}", model="other") for n in range(4)])
    begin = time.monotonic()
    done = batch.run("-c", "1")
    assert done.returncode == 0 and time.monotonic() - begin >= 1
    # The limited model's lines were held back after the first 429, and the other's went on meanwhile.
    assert batch.instance.asked[:5] == ["a0", "b0", "b1", "b2", "b3"]
    assert "waited out" in done.stdout


def test_failures_are_tried_again_and_then_left_to_the_next_run(batch):
    def failing(name, times):
        if name == "cut" and times == 1:
            return None, "", ""
        if name == "flaky" and times < 2:
            return 502, "", '{"error":{"message":"no"}}'
        return good(name)

    batch.serve(failing)
    batch.write([line("cut"), line("flaky"), line("good")])
    done = batch.run()
    assert done.returncode == 0, done.stdout
    assert len(batch.answers()) == 3


def test_what_is_refused_stands_in_the_output(batch):
    batch.serve(lambda name, times: good(name) if name != "bad" else (400, "", '{"error":{"message":"no such field"}}'))
    batch.write([line("bad"), line("good")])
    done = batch.run()
    assert done.returncode == 1 and "of them refused 1" in done.stdout
    bad = next(answer for answer in batch.answers() if answer["custom_id"] == "bad")
    assert bad["response"]["status_code"] == 400 and bad["response"]["body"]["error"]["message"] == "no such field"
    # It has its answer: a second run does not ask again, and says so again.
    batch.instance.asked.clear()
    done = batch.run()
    assert done.returncode == 1 and not batch.instance.asked and "of them refused 1" in done.stdout


def test_an_answer_that_is_no_json(batch):
    batch.serve(lambda name, times: (200, "", b"caf\xc3\xa9\n"))
    batch.write([line("a")])
    assert batch.run().returncode == 0
    assert batch.answers()[0]["response"]["body"] == "caf\u00e9\n"


def test_mistakes_are_told_with_their_lines(batch):
    batch.serve()
    batch.write([line("a"), "{", line("a"), line("b", stream=True)])
    done = batch.run()
    assert done.returncode == 65 and not batch.instance.asked and not batch.output.exists()
    said = done.stderr.splitlines()
    assert said[0] == f"{batch.input}:2:2: error: unexpected end"
    assert said[1] == f"{batch.input}:3:15: error: another line has this `custom_id` too"
    assert said[2].startswith(f"{batch.input}:4:") and "cannot be streamed" in said[2]


def test_a_byte_order_mark_is_no_mistake(batch):
    batch.serve()
    batch.input.write_bytes(b"\xef\xbb\xbf" + (line("a") + "\r\n" + line("b")).encode())
    assert batch.run().returncode == 0 and {each["custom_id"] for each in batch.answers()} == {"a", "b"}


def test_the_input_is_no_output(batch):
    batch.serve()
    batch.write([line("a")])
    batch.output = batch.input
    done = batch.run()
    assert done.returncode == 64 and "-o names the input" in done.stderr
    assert batch.input.read_text() == line("a") + "\n"


def test_another_file_s_output_is_left_alone(batch):
    batch.serve()
    batch.write([line("a")])
    assert batch.run().returncode == 0
    before = batch.output.read_bytes()
    batch.write([line("b")])
    done = batch.run()
    assert done.returncode == 65 and "another file's output" in done.stderr
    assert batch.output.read_bytes() == before
    batch.output.write_text("not JSON\n")
    assert batch.run().returncode == 65 and batch.output.read_text() == "not JSON\n"


def test_one_at_a_time(batch):
    hold = threading.Event()

    def held(name, times):
        hold.wait(DEADLINE)
        return good(name)

    batch.serve(held)
    batch.write([line("a")])
    first = subprocess.Popen(batch.arguments(), stdout=subprocess.DEVNULL)
    while not batch.instance.asked:
        time.sleep(0.01)
    done = batch.run()
    assert done.returncode == 65 and "being written by another process" in done.stderr
    hold.set()
    assert first.wait(DEADLINE) == 0


def test_control_c_finishes_what_is_under_way(batch):
    hold = threading.Event()

    def held(name, times):
        hold.wait(DEADLINE)
        return good(name)

    batch.serve(held)
    batch.write([line(str(n)) for n in range(20)])
    process = subprocess.Popen(batch.arguments("-c", "3"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while len(batch.instance.asked) < 3:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert "finishing what is under way" in process.stderr.readline()
    hold.set()
    said, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1 and "17 lines have no answer yet" in said
    assert len(batch.answers()) == 3 and len(batch.instance.asked) == 3


def test_nobody_answers(batch):
    batch.serve()
    batch.instance.stop()
    batch.write([line("a")])
    done = batch.run()
    assert done.returncode == 69 and "is `synaxis run` there?" in done.stderr


def test_a_key_that_is_not_taken(batch):
    batch.serve(lambda name, times: (401, "", '{"error":{"code":"invalid_api_key"}}'))
    batch.write([line("a")])
    done = batch.run()
    assert done.returncode == 64 and "--key" in done.stderr and not batch.output.read_bytes()


def test_a_full_disk_leaves_whole_lines(batch):
    batch.serve()
    batch.write([line(str(n)) for n in range(50)])

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))

    done = subprocess.run(batch.arguments(), capture_output=True, text=True, timeout=DEADLINE, preexec_fn=limit)
    assert done.returncode == 74 and "writing failed: File too large" in done.stderr
    assert batch.output.read_bytes().endswith(b"}\n") and len(batch.answers()) > 5
    assert batch.run().returncode == 0
    assert sorted(int(answer["custom_id"]) for answer in batch.answers()) == list(range(50))


def test_through_a_real_instance(gateway, mock, tmp_path):
    at = gateway(mock("--fail 429"), mock(), models='["*"]')
    (tmp_path / "in").write_text("".join(line(str(n)) + "\n" for n in range(30)))
    arguments = [SYNAXIS, "batch", tmp_path / "in", "-o", tmp_path / "out", "--url", "http://127.0.0.1:%d" % at.address[1]]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(text) for text in (tmp_path / "out").read_text().splitlines()]
    assert len(answers) == 30 and all(answer["response"]["request_id"].startswith("req_") for answer in answers)


def test_memory_does_not_grow_with_the_file(batch):
    """Long lines are checked and begun in a few megabytes, however many there are."""
    batch.serve(lambda name, times: (401, "", "{}"))
    text = line("NAME", input="x" * 50_000)

    def peak(count):
        with open(batch.input, "w") as file:
            for n in range(count):
                file.write(text.replace("NAME", str(n)) + "\n")
        process = subprocess.Popen(batch.arguments(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 64
        return usage.ru_maxrss

    assert peak(800) < peak(20) + 4_000
