#!/usr/bin/env python3
"""udp.py serve ADDRESS PORT | check ADDRESS PORT: datagrams of 1 to 8000 bytes, every byte compared.

The content follows from the size, so that each side can judge what it received by itself. The server
answers a good datagram with the complement of its content, and a bad one with the word BAD."""
import random
import socket
import sys
import time

# around every edge: the smallest, odd and even, one and several fragments at each usual MTU
SIZES = sorted({*range(1, 70), 100, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1000, 1023, 1024, 1025,
                *range(1370, 1380), *range(1395, 1405), *range(1416, 1426), *range(1470, 1475), 1500, 2047, 2048, 2049,
                2800, 2844, 2845, 3000, 4095, 4096, 4097, 5000, 6001, 7000, 7777, 7999, 8000})


def content(size):
    return random.Random(size).randbytes(size)


def complement(data):
    return bytes(b ^ 0xff for b in data)


def main():
    verb, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    if verb == "serve":
        s.bind((address, port))
        while True:
            data, peer = s.recvfrom(65535)
            s.sendto(complement(data) if data == content(len(data)) else b"BAD", peer)
    s.settimeout(0.5)
    s.connect((address, port))
    bad, again, late, slowest = [], 0, 0, 0.0
    for size in SIZES:
        # the first datagram that is too big for the path may be lost to the discovery of its MTU
        for attempt in range(3):
            start = time.monotonic()
            try:
                s.send(content(size))
                answer = s.recv(65535)
                # the answer to an earlier datagram, which was given up, is not this one's
                while len(answer) < size and answer == complement(content(len(answer))):
                    late += 1
                    answer = s.recv(65535)
            except (TimeoutError, OSError):
                again += attempt < 2
                answer = None
                continue
            break
        slowest = max(slowest, time.monotonic() - start)
        if answer is None:
            bad.append(f"{size} bytes: lost")
        elif answer == b"BAD":
            bad.append(f"{size} bytes: arrived with other content")
        elif answer != complement(content(size)):
            bad.append(f"{size} bytes: answer of {len(answer)} bytes has other content")
        if len(bad) > 10:
            break
    print(f"{len(SIZES)} sizes, {again} sent again, {late} answers late, slowest {slowest * 1000:.0f} ms, "
          f"{len(bad)} bad: {', '.join(bad) or 'none'}")
    sys.exit(1 if bad or again > 4 else 0)


main()
