# One process of the contest, as work does it in Go: lock, count, hold, unlock, think.
import json
import struct
import sys
import time

from filelock import FileLock

path, counter_path = sys.argv[1:3]
hold, think, length = map(float, sys.argv[3:6])
lock = FileLock(path)
turns = in_time = 0
waits = []
with open(counter_path, "r+b", buffering=0) as counter:
    print("ready", flush=True)
    sys.stdin.read()
    end = time.monotonic() + length
    while time.monotonic() < end:
        began = time.monotonic()
        with lock:
            got = time.monotonic()
            waits.append(int(1e9 * min(got - began, end - began)))
            turns += 1
            in_time += got < end
            counter.seek(0)
            (n,) = struct.unpack(">q", counter.read(8))
            if hold:
                time.sleep(hold)
            counter.seek(0)
            counter.write(struct.pack(">q", n + 1))
        if think:
            time.sleep(think)
print(json.dumps({"turns": turns, "in_time": in_time, "waits": waits}))
