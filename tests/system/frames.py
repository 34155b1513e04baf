#!/usr/bin/env python3
"""Single frames, made and seen on one interface, for the system tests.

frames.py who-has IF OWN_IP IP          asks by ARP; prints every MAC that answers within a second
frames.py announce IF MAC IP            a gratuitous ARP
frames.py send IF DST [COUNT [TAG [PAYLOAD]]]
                                        frames of the local experimental type 0x88b5; TAG: VID, VID/PCP, or "none"
frames.py see IF SECONDS                prints how many frames of that type arrive
frames.py see-tags IF SECONDS           prints how many of each tag and length arrive: "10 of 20/0 60"; nothing: "none"
frames.py flood IF COUNT SECONDS        mutated frames: every length, nested tags, lying lengths
frames.py flood-vxlan IP COUNT SECONDS  mutated VXLAN datagrams to UDP port 4789 there"""
import collections
import random
import socket
import struct
import sys
import time

EXPERIMENTAL = 0x88B5  # IEEE 802, local experimental EtherType 1
# linux/if_packet.h
SOL_PACKET, PACKET_AUXDATA, TP_STATUS_VLAN_VALID = 263, 8, 1 << 4


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def show(address):
    return ":".join(f"{b:02x}" for b in address)


def open_on(interface, protocol=3):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
    s.bind((interface, protocol))
    return s


def arp(op, src_mac, src_ip, dst_mac, dst_ip):
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, op) + src_mac + socket.inet_aton(src_ip) + dst_mac + socket.inet_aton(dst_ip)


def who_has(interface, own_ip, ip):
    s = open_on(interface, 0x0806)
    own = s.getsockname()[4]
    s.send(b"\xff" * 6 + own + b"\x08\x06" + arp(1, own, own_ip, bytes(6), ip))
    seen, end = set(), time.monotonic() + 1
    while (left := end - time.monotonic()) > 0:
        s.settimeout(left)
        try:
            f = s.recv(2048)
        except TimeoutError:
            break
        if f[20:22] == b"\0\2" and f[28:32] == socket.inet_aton(ip) and f[6:12] != own:
            seen.add(show(f[22:28]))
    print(" ".join(sorted(seen)))


def announce(interface, address, ip):
    open_on(interface).send(b"\xff" * 6 + mac(address) + b"\x08\x06" + arp(1, mac(address), ip, bytes(6), ip))


def send(interface, destination, count="1", tag="none", payload="46"):
    s = open_on(interface)
    addresses = mac(destination) + s.getsockname()[4]
    if tag != "none":
        vid, _, pcp = tag.partition("/")
        addresses += struct.pack("!HH", 0x8100, int(pcp or 0) << 13 | int(vid))
    frame = addresses + struct.pack("!H", EXPERIMENTAL) + bytes(int(payload))
    for _ in range(int(count)):
        s.send(frame)


def arriving(interface, seconds):
    """The frames of the experimental type that come in: tag (VID/PCP or "none") and length, the tag not counted."""
    # of all types: the kernel knows a tagged frame by its type only after it took the tag off, where it does
    s = open_on(interface)
    s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    print("watching", flush=True)
    end = time.monotonic() + float(seconds)
    while (left := end - time.monotonic()) > 0:
        s.settimeout(left)
        try:
            frame, control, _, where = s.recvmsg(2048, socket.CMSG_SPACE(20))
        except TimeoutError:
            break
        tag = "none"
        for level, kind, data in control:
            # struct tpacket_auxdata (linux/if_packet.h)
            status, _, _, _, _, tci, _ = struct.unpack_from("=IIIHHHH", data)
            if (level, kind) == (SOL_PACKET, PACKET_AUXDATA) and status & TP_STATUS_VLAN_VALID:
                tag = f"{tci & 0xfff}/{tci >> 13}"
        kind = struct.unpack_from("!H", frame, 12)[0] if len(frame) > 13 else 0
        if kind == 0x8100 and tag == "none":
            tci, kind = struct.unpack_from("!HH", frame, 14)
            tag, frame = f"{tci & 0xfff}/{tci >> 13}", frame[4:]
        if kind == EXPERIMENTAL and where[2] != socket.PACKET_OUTGOING:
            yield tag, len(frame)


def see(interface, seconds):
    print(sum(1 for _ in arriving(interface, seconds)))


def see_tags(interface, seconds):
    seen = collections.Counter(arriving(interface, seconds))
    print(", ".join(f"{n} of {tag} {size}" for (tag, size), n in sorted(seen.items())) or "none")


def templates(source):
    """Good frames of many kinds, for the mutations to start from."""
    def eth(kind, body, to=b"\x02\0\0\0\x66\x66"):
        return to + source + struct.pack("!H", kind) + body

    def ipv4(protocol, body, offset=0, words=b""):
        return struct.pack("!BBHHHBBH", 0x45 + len(words) // 4, 0, 20 + len(words) + len(body), 7, offset, 64, protocol, 0) \
            + b"\x0a\x63\0\x01\x0a\x63\0\x02" + words + body

    def ipv6(following, body):
        return struct.pack("!IHBB", 6 << 28, len(body), following, 64) + b"\xfd" + bytes(14) + b"\1\xfd" + bytes(14) + b"\2" + body

    udp = struct.pack("!HHHH", 1234, 4321, 40, 0) + bytes(32)
    tcp = struct.pack("!HHIIBBHHH", 1, 2, 3, 4, 0x80, 0x18, 100, 0, 0) + b"\1\1\x08\x0a" + bytes(8) + b"x" * 100
    tag, service = struct.pack("!HH", 0x8100, 5), struct.pack("!HH", 0x88A8, 9)
    return [
        eth(0x0800, ipv4(17, udp)), eth(0x0800, ipv4(6, tcp)), eth(0x0800, ipv4(1, b"\x08\0\0\0" + bytes(60))),
        eth(0x0800, ipv4(17, udp, 0x2000)), eth(0x0800, ipv4(17, udp, 0x00B9)), eth(0x0800, ipv4(6, tcp, 0, b"\x07\x08" + bytes(10))),
        eth(0x0800, ipv4(132, bytes(40))), eth(0x0800, ipv4(17, struct.pack("!HHHH", 5, 4789, 58, 0) + b"\x08\0\0\0\0\0\x64\0" + bytes(42))),
        eth(0x86DD, ipv6(17, udp)), eth(0x86DD, ipv6(6, tcp)), eth(0x86DD, ipv6(58, b"\x87" + bytes(23) + b"\1\1" + source)),
        eth(0x86DD, ipv6(0, b"\x2b\0" + bytes(6) + b"\x2c\0" + bytes(6) + b"\x11\0" + bytes(6) + udp)),
        eth(0x0806, arp(1, source, "10.99.0.1", bytes(6), "10.99.0.2"), b"\xff" * 6), eth(0x0806, arp(2, source, "10.99.0.1", bytes(6), "10.99.0.2")),
        eth(0x0800, ipv4(17, udp))[:12] + tag + b"\x08\0" + ipv4(17, udp), eth(0, b"")[:12] + service + tag + b"\x08\0" + ipv4(6, tcp),
        eth(0, b"")[:12] + (tag + service) * 10 + b"\x86\xdd" + ipv6(6, tcp), eth(0, b"")[:12] + tag, eth(0, b"")[:12] + tag * 100,
        eth(0x8847, b"\0\0\1\x40" * 3 + ipv4(17, udp)), eth(0x88E7, bytes(40)), eth(100, bytes(100)), eth(0xFFFF, bytes(1400)),
        eth(0x0800, bytes(60), b"\x01\x80\xc2\0\0\0"), eth(0x88CC, bytes(60), b"\x01\x80\xc2\0\0\x0e"), eth(0x0800, ipv4(17, udp), b"\x01\0\x5e\0\0\xfb"),
    ]


def mutations(bases, seed):
    """Endless: a base cut or stretched, with a few bytes changed."""
    r = random.Random(seed)
    rand, below = r.random, r.randrange
    n = 0
    while True:
        f = bytearray(bases[n % len(bases)])
        n += 1
        x = rand()
        if x < 0.4:
            f = f[:n // len(bases) % (len(f) + 1)]  # every length in turn
        elif x < 0.5:
            f += bytes(below(1, 1200))
        size = len(f)
        if size > 14:
            for _ in range(below(4)):
                f[below(12, size)] = below(256)
        elif not size:
            continue
        yield f


def pump(emit, source, count, seconds):
    """Sends until the count or the time is reached; prints what came of it."""
    sent = refused = cut = 0
    end = time.monotonic() + float(seconds)
    for frame in source:
        try:
            emit(frame)
            sent += 1
            cut += len(frame) < 20 and frame[12:14] in (b"\x81\0", b"\x88\xa8")
        except OSError:  # the kernel itself takes no frame below 14 bytes or above the MTU, and none when busy
            refused += 1
        if sent >= int(count) or (not (sent + refused) & 0xFF and time.monotonic() > end):
            break
    print(f"{sent} sent, {cut} of them end within their tag, {refused} refused by the sending kernel")


def flood(interface, count, seconds):
    s = open_on(interface)
    pump(s.send, mutations(templates(s.getsockname()[4]), 1), count, seconds)


def flood_vxlan(ip, count, seconds):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((ip, 4789))
    inner = templates(b"\x02\0\0\0\x55\x55")
    heads = [b"\x08\0\0\0\0\0\x64\0", b"\0\0\0\0\0\0\x64\0", b"\x08\0\0\0\0\0\x65\0", b"\xff" * 8, b"\x08\0\0\0\xff\xff\xff\xff", b"\x08\0\0\0\0\0\x64\xff"]
    bases = [h + f for f in inner for h in heads]
    r = random.Random(2)

    def damaged():
        for f in mutations(bases, 3):
            if len(f) > 8 and r.random() < 0.1:
                f[r.randrange(8)] = r.randrange(256)
            yield f

    pump(s.send, damaged(), count, seconds)


VERBS = {"who-has": who_has, "announce": announce, "send": send, "see": see, "see-tags": see_tags, "flood": flood, "flood-vxlan": flood_vxlan}
VERBS[sys.argv[1]](*sys.argv[2:])
