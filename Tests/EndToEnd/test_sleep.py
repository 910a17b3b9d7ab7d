"""A machine that sleeps: time runs on.

CLOCK_BOOTTIME and CLOCK_MONOTONIC differ by the time that a machine has slept. A library before libc's adds to the first
what a file says, as a night would. (A time namespace shifts a clock for good, when a process begins.)
"""

import shutil
import struct
import subprocess

import pytest
from gateway import Gateway
from pages import ask as page
from wire import Provider, Reader, post

BODY = '{"model":"m","temperature":0,"messages":[]}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"object\":\"a\",\"b\":1}"
REFUSED = b"HTTP/1.1 429 No\r\nRetry-After: 7200\r\nContent-Length: 0\r\n\r\n"
HOURS = 3600
COMPILER = shutil.which("cc") or shutil.which("clang")

LIBRARY = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *t) {
  static int (*real)(clockid_t, struct timespec *);
  static volatile int64_t *slept;
  if (!real) {
    real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int file = open(getenv("SLEPT"), O_RDONLY);
    slept = mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
  }
  int result = real(clock, t);
  if (clock == CLOCK_BOOTTIME) t->tv_sec += *slept;
  return result;
}
"""


class Machine:
    """Where a gateway's clocks are kept."""

    def __init__(self, directory):
        self.slept = 0
        self.file = directory / "slept"
        self.sleep(0)
        source, self.library = directory / "clock.c", directory / "clock.so"
        source.write_text(LIBRARY)
        subprocess.run([COMPILER, "-shared", "-fPIC", "-o", self.library, source, "-ldl"], check=True)
        self.environment = {"LD_PRELOAD": str(self.library), "SLEPT": str(self.file)}

    def sleep(self, seconds):
        self.slept += seconds
        with open(self.file, "r+b" if self.file.exists() else "w+b") as file:
            file.write(struct.pack("=q", self.slept))


def ask(gateway):
    connection = Reader(gateway.connect())
    connection.socket.sendall(post(BODY))
    return connection


@pytest.mark.skipif(not COMPILER, reason="no C compiler")
def test_what_is_over_after_a_night(start, tmp_path):
    machine = Machine(tmp_path)
    a, b = start(Provider), start(Provider)
    text = ("cache: { enabled: true, ttl: 1h }\nlisten: 127.0.0.1:0\nproviders:\n"
            f"  a: {a.entry(more=', rpd: 2')}\n  b: {b.entry(tier=1)}\n")
    gateway = start(Gateway, text, environment=machine.environment)

    first = ask(gateway)
    a.read()
    a.current.send(REFUSED)
    b.read()
    b.current.send(ANSWER)
    assert first.read()[0]["x-synaxis-provider"] == "b"
    assert ask(gateway).read()[0]["x-synaxis-cache"] == "hit"

    machine.sleep(HOURS // 2)
    head = ask(gateway).read()[0]
    assert head["x-synaxis-cache"] == "hit"

    # The cache's hour is over; `a` is left alone for two.
    machine.sleep(HOURS)
    later = ask(gateway)
    b.read()
    b.current.send(ANSWER)
    head = later.read()[0]
    assert (head["x-synaxis-cache"], head["x-synaxis-provider"]) == ("miss", "b")
    assert not a.has_request()

    machine.sleep(2 * HOURS)
    later = ask(gateway)
    a.read()
    a.current.send(ANSWER)
    assert later.read()[0]["x-synaxis-provider"] == "a"

    # Both requests of a's day are used; the day is over after the night.
    machine.sleep(2 * HOURS)
    later = ask(gateway)
    b.read()
    b.current.send(ANSWER)
    assert later.read()[0]["x-synaxis-provider"] == "b"
    machine.sleep(25 * HOURS)
    later = ask(gateway)
    a.read()
    a.current.send(ANSWER)
    assert later.read()[0]["x-synaxis-provider"] == "a"
