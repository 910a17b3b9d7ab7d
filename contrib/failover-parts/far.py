"""A provider that is far away: its acknowledgements take longer than `timeouts.failover`, and it is well."""
import ctypes
import fcntl
import os
import select
import struct
import threading
import time

from lab import run

NEAR, FAR = "10.77.9.1", "10.77.9.2"
DELAY = 0.08  # s, each way
TUNSETIFF, IFF_TUN_NO_PI, CLONE_NEWNET = 0x400454CA, 0x1001, 0x40000000


def tunnel(space, address):
    """One end of a wire that this process carries: a tun(4) device in a namespace."""
    libc = ctypes.CDLL(None)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open("/run/netns/" + space, os.O_RDONLY)
    try:
        libc.setns(there, CLONE_NEWNET)
        end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH", b"far", IFF_TUN_NO_PI))
    finally:
        libc.setns(home, CLONE_NEWNET)
        os.close(home)
        os.close(there)
    run("ip", "-n", space, "addr", "add", address + "/24", "dev", "far")
    run("ip", "-n", space, "link", "set", "far", "up")
    return end


def carry(ends, isOver):
    """Takes every packet to the other end, late."""
    waiting = []
    while not isOver.is_set():
        pause = max(0, waiting[0][0] - time.monotonic()) if waiting else 0.1
        for end in select.select(ends, [], [], pause)[0]:
            try:
                while True:
                    waiting.append((time.monotonic() + DELAY, ends[end == ends[0]], os.read(end, 4096)))
            except BlockingIOError:
                pass
        while waiting and waiting[0][0] <= time.monotonic():
            _, end, packet = waiting.pop(0)
            os.write(end, packet)


def far(lab, report):
    """Alone for its model, and nothing is known of it yet."""
    ends = [tunnel(lab.space("gw"), NEAR), tunnel(lab.space("p5"), FAR)]
    isOver = threading.Event()
    carrier = threading.Thread(target=carry, args=(ends, isOver))
    carrier.start()
    try:
        lab.serve("far", endpoints={"p1": f"http://{FAR}:8000/v1"}, only=("p1",))
        results = []
        for number in range(3):
            results += lab.clients.ask(do="burst", name=f"far{number}", count=4, stream=number == 1, port=lab.port,
                                       hints={}, limit=20)["results"]
        lab.stop()
    finally:
        isOver.set()
        carrier.join()
        for end in ends:
            os.close(end)
    failed = [result for result in results if result[3] or "," in result[4]]
    slowest = max(result[2] for result in results)
    report.note("far away", f"{len(results)} requests at a round trip of {DELAY * 2000:.0f} ms, {len(failed)} not "
                f"answered by the first attempt {failed[:1] or ''}, at most {slowest:.0f} ms", not failed)
