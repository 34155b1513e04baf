"""Ryu's switch tester (ryu/tests/switch/tester.py) as scripts/conformance/run needs it: an application for ryu-manager.

Every verdict goes to the file named by VXS_RESULTS at once: category, file, test, OK or ERROR, reason, with tabs between.
Unless VXS_STOCK is set, four things of Ryu are mended:

- Frames of the throughput tests go out by the clock. The tester sleeps 10 ms between slices and takes no account of the
  time that sending itself takes: on a slow machine it sends up to 40 % less than the switch is then measured by.
- A meter band's burst_size counts only where the meter has the flag OFPMF_BURST: without it the field says nothing
  (OpenFlow 1.3.5, 7.3.4.4).
- The SCTP checksum is CRC32c of the packet's bytes (RFC 9260, 6.8). On Python 3 Ryu takes it of their representation as text,
  "b'\\x2b...'", so that a switch that keeps the checksum right cannot pass.
- Where a packet is not the expected one, both are shown, in hex.
"""
import logging
import os
import time

from ryu.lib import hub
from ryu.lib.packet import sctp as ryu_sctp
from ryu.tests.switch import tester
from ryu.tests.switch.tester import *  # noqa: F401,F403: the patterns are Python expressions of these classes

STOCK = bool(os.environ.get("VXS_STOCK"))


def crc32c(_, data):
    """In the byte order that Ryu's serializer wants: the number that, written big-endian, is the checksum on the wire."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return int.from_bytes((crc ^ 0xFFFFFFFF).to_bytes(4, "little"), "big")


if not STOCK:
    ryu_sctp.sctp._checksum = crc32c


class Record(logging.Handler):
    """Takes the verdicts from the tester's log, where alone it gives them."""

    def __init__(self, path):
        super().__init__()
        self.out = open(path, "a", encoding="utf-8", buffering=1)
        self.file, self.row = "", None

    def emit(self, record):
        if record.msg == "%s":  # a file begins
            self.flush_row()
            self.file = record.args[0]
        elif record.msg == "    %-100s %s":  # a test ended
            self.flush_row()
            category = "set_field" if "set_field" in self.file else self.file.partition(":")[0].strip()
            self.row = [category, self.file, *record.args, ""]
            if record.args[1] == "OK":
                self.flush_row()
        elif record.msg == "        %s" and self.row:  # why it failed
            self.row[4] = record.args[0]
            self.flush_row()
        elif record.msg.startswith("---"):
            self.flush_row()

    def flush_row(self):
        if self.row:
            self.out.write("\t".join(" ".join(str(cell).split()) for cell in self.row) + "\n")
            self.row = None


class Tester(tester.OfTester):
    def _set_logger(self):
        super()._set_logger()
        self.logger.addHandler(Record(os.environ["VXS_RESULTS"]))

    if not STOCK:

        @classmethod
        def _diff_packets(cls, model_pkt, rcv_pkt):
            said = tester.OfTester._diff_packets(model_pkt, rcv_pkt)
            return f"{said} | expected {bytes(model_pkt.data).hex()} | received {bytes(rcv_pkt.data).hex()}"

        @classmethod
        def _compare_meter(cls, stats1, stats2):
            if not stats2.flags & 4:  # OFPMF_BURST
                for meter in (stats1, stats2):
                    for band in meter.bands:
                        band.burst_size = 0
            return tester.OfTester._compare_meter(stats1, stats2)

        def _send_packet_thread(self, arg):
            """Sends until the test takes `ingress_event` away. One thread, where the tester starts one for each slice."""
            switch, event = self.tester_sw, self.ingress_event
            rate = arg["packet_counter_inc"] / tester.CONTINUOUS_THREAD_INTVL
            constant = None if arg["randomize"] else self._packet_out(arg["packet_binary"])
            begin, sent = time.monotonic(), 0
            while self.ingress_event is event and not event._cond:
                due = int((time.monotonic() - begin) * rate) - sent
                due = min(due, 100)  # what was missed is made up for, but not all at once
                if due > 0 and constant:
                    switch.dp.send(constant * due)
                for _ in range(0 if constant else due):
                    frame = eval("/".join(arg["packet_text"]))
                    frame.serialize()
                    switch.send_packet_out(frame.data)
                sent += max(due, 0)
                hub.sleep(0.002)
            self.logger.debug("sent %d packets, %.1f a second", sent, sent / (time.monotonic() - begin))

        def _packet_out(self, frame):
            dp = self.tester_sw.dp
            parser, ofproto = dp.ofproto_parser, dp.ofproto
            message = parser.OFPPacketOut(
                datapath=dp, buffer_id=ofproto.OFP_NO_BUFFER, in_port=ofproto.OFPP_CONTROLLER, data=frame,
                actions=[parser.OFPActionOutput(self.tester_sw.tester_send_port)])
            dp.set_xid(message)
            message.serialize()
            return bytes(message.buf)
