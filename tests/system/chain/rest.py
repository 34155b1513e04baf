#!/usr/bin/env python3
"""The checks of chain.sh that go through Ryu's ofctl_rest.

rest.py flows URL LOG          the flows of both switches are those that chain.py lays, and no others; LOG is Ryu's: the
                               application says there which bridge has which datapath id
rest.py dpid LOG BRIDGE        prints a bridge's datapath id
rest.py mark URL DPID          adds a flow that no packet matches, by which one sees later whether flows were lost
rest.py marked URL DPID        whether it is there
rest.py unmark URL DPID        takes it away
rest.py every URL DPID         every GET and POST of ofctl_rest on one switch: lines "ok    NAME" and "FAIL  NAME: why" """
import json
import re
import sys
import time
import urllib.error
import urllib.request

LOCAL = 0xFFFFFFFE
MARK = 0x6D61726B
# dl_type 0x88b5 is IEEE 802's first local experimental EtherType: nothing sends it here
MARK_FLOW = {"cookie": MARK, "cookie_mask": 2**64 - 1, "priority": 7, "match": {"dl_type": 0x88B5}, "actions": []}


class Rest:
    def __init__(self, url):
        self.url = url

    def ask(self, path, body=None, method=None):
        """Status and JSON of an answer; None where it has no body."""
        # not quite JSON: ofctl_rest reads its commands as Python literals and its filters as JSON; these are both
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, None

    def get(self, path, dpid, tail="", body=None):
        """What /stats/PATH/DPID/TAIL says about the switch."""
        status, answer = self.ask(f"/stats/{path}/{dpid}{tail}", body)
        if status != 200:
            raise AssertionError(f"/stats/{path}/{dpid}{tail}: HTTP status {status}")
        return answer[str(dpid)]

    def post(self, path, body):
        status, _ = self.ask(f"/stats/{path}", body)
        if status != 200:
            raise AssertionError(f"POST /stats/{path}: HTTP status {status}")


# ---- the application's flows ----------------------------------------------------------------


def datapaths(log):
    with open(log, encoding="utf-8", errors="replace") as f:
        return {name: int(dpid, 16) for name, dpid in re.findall(r"Switch (myswitch_\d) connected with datapath_id=(\w+)", f.read())}


def laid(first):
    """The flows that chain.py lays on the switch whose containers begin with number FIRST."""
    def mac(n):
        return f"00:00:00:00:00:{n:02x}"

    # port 6 is vxlan0, behind which are the other host's containers: c6 at the end of the first five, c5 before the others
    ports = [6, 1, 2, 3, 4, 5] if first > 1 else [1, 2, 3, 4, 5, 6]
    names = [mac(first + i - (first > 1)) for i in range(6)]
    flows = set()
    for i in range(5):
        for a, b in (i, i + 1), (i + 1, i):
            flows.add((1, ports[a], names[a], names[b], (f"OUTPUT:{ports[b]}",)))
    for i, port in enumerate(ports):
        beside = sorted(ports[j] for j in (i - 1, i + 1) if 0 <= j < 6)
        flows.add((200, port, None, "ff:ff:ff:ff:ff:ff", tuple(f"OUTPUT:{p}" for p in beside)))
    return flows


def flows(url, log):
    rest, known, same = Rest(url), datapaths(log), True
    for bridge, first in ("myswitch_1", 1), ("myswitch_2", 6):
        if bridge not in known:
            print(f"{bridge}: the application never found its LOCAL port")
            same = False
            continue
        got = set()
        for f in rest.get("flow", known[bridge]):
            match = dict(f["match"])
            flow = (f["priority"], match.pop("in_port", None), match.pop("dl_src", None), match.pop("dl_dst", None), tuple(f["actions"]))
            rest_of_it = {k: f[k] for k in ("table_id", "cookie", "idle_timeout", "hard_timeout", "flags") if f[k]}
            got.add(flow + ((str(match), str(rest_of_it)) if match or rest_of_it else ()))
        for flow in sorted(laid(first) ^ got, key=str):
            print(bridge, "lacks" if flow in laid(first) else "has also", flow)
            same = False
    sys.exit(not same)


def dpid(log, bridge):
    print(datapaths(log)[bridge])


def mark(url, dpid):
    Rest(url).post("flowentry/add", {"dpid": int(dpid), **MARK_FLOW})


def unmark(url, dpid):
    Rest(url).post("flowentry/delete_strict", {"dpid": int(dpid), **MARK_FLOW})


def marked(url, dpid):
    sys.exit(not any(f["cookie"] == MARK for f in Rest(url).get("flow", dpid)))


# ---- every GET and POST ---------------------------------------------------------------------


def the(condition, said):
    if not condition:
        raise AssertionError(said)


def soon(look, wanted):
    """Commands are answered before the switch has done them: LOOK until the answer is as WANTED, for 3 seconds."""
    end = time.monotonic() + 3
    while not wanted(answer := look()):
        the(time.monotonic() < end, f"still {str(answer)[:400]}")
        time.sleep(0.05)
    return answer


class Every:
    """One method for each part of the interface; each leaves the switch as it was."""

    def __init__(self, rest, dpid):
        self.rest, self.dpid = rest, dpid
        self.flow = {"dpid": dpid, "cookie": 0x5151, "cookie_mask": 2**64 - 1, "table_id": 3, "priority": 9,
                     "match": {"in_port": 1, "dl_type": 0x800, "nw_dst": "10.0.0.0/8"}}

    def get(self, path, tail="", body=None):
        return self.rest.get(path, self.dpid, tail, body)

    def ours(self, **filters):
        return self.get("flow", body={"cookie": 0x5151, "cookie_mask": 2**64 - 1, **filters})

    def switches(self):
        status, answer = self.rest.ask("/stats/switches")
        the(status == 200 and len(answer) == 2 and self.dpid in answer, answer)

    def desc(self):
        answer = self.get("desc")
        for key in "mfr_desc", "hw_desc", "sw_desc", "serial_num", "dp_desc":
            the(isinstance(answer.get(key), str) and (answer[key] or key == "dp_desc"), answer)

    def flow_get(self):
        for path in "flow", "flowdesc":
            answer = self.get(path)
            the(len(answer) == 16, f"{len(answer)} flows")
            for f in answer:
                the(f["duration_sec"] < 3600 and f["length"] >= 56 and f["table_id"] == 0, f)
            the(any(f["packet_count"] > 0 and f["byte_count"] >= 42 * f["packet_count"] for f in answer), "no flow counted a packet")

    def flow_filtered(self):
        for path in "flow", "flowdesc":
            answer = self.get(path, body={"match": {"in_port": 2}})
            the(len(answer) == 3 and all(f["match"]["in_port"] == 2 for f in answer), answer)
            answer = self.get(path, body={"out_port": 6})
            the(len(answer) == 2 and all("OUTPUT:6" in f["actions"] for f in answer), answer)
            the(self.get(path, body={"table_id": 1}) == [], "flows in table 1")
            the(self.get(path, body={"cookie": 1, "cookie_mask": 1}) == [], "flows with a cookie")
            the(self.get(path, body={"out_group": 77}) == [], "flows with a group")

    def aggregateflow(self):
        each = self.get("flow")
        answer = self.get("aggregateflow")
        the(len(answer) == 1 and answer[0]["flow_count"] == 16, answer)
        the(answer[0]["packet_count"] >= sum(f["packet_count"] for f in each) > 0, answer)
        the(answer[0]["byte_count"] >= sum(f["byte_count"] for f in each) > 0, answer)
        answer = self.get("aggregateflow", body={"match": {"in_port": 2}})
        the(answer[0]["flow_count"] == 3, answer)

    def table(self):
        answer = {t["table_id"]: t for t in self.get("table")}
        the(0 in answer and 0 < len(answer) <= 255, f"{len(answer)} tables")
        # ofctl_rest says ALL where it means 255, and numbers otherwise
        the(answer[0]["active_count"] == 16, answer[0])
        the(answer[0]["lookup_count"] >= answer[0]["matched_count"] > 0, answer[0])
        the(answer[1]["active_count"] == 0, answer[1])

    def tablefeatures(self):
        answer = self.get("tablefeatures")
        tables = {t["table_id"]: t for t in answer}
        the(0 in tables and len(tables) == len(answer) == len(self.get("table")), f"{len(answer)} tables")
        first = tables[0]
        the(first["max_entries"] > 0 and isinstance(first["name"], str), {k: v for k, v in first.items() if k != "properties"})
        kinds = {p["type"] for p in first["properties"]}
        the({"INSTRUCTIONS", "NEXT_TABLES", "WRITE_ACTIONS", "APPLY_ACTIONS", "MATCH", "WILDCARDS", "WRITE_SETFIELD", "APPLY_SETFIELD"} <= kinds, kinds)
        match = next(p for p in first["properties"] if p["type"] == "MATCH")
        the({"in_port", "eth_src", "eth_dst", "eth_type"} <= {o["type"] for o in match["oxm_ids"]}, match)

    def port(self):
        answer = {p["port_no"]: p for p in self.get("port")}
        the(set(answer) == {1, 2, 3, 4, 5, 6, "LOCAL"}, sorted(answer, key=str))
        the(all(answer[n]["rx_packets"] > 0 and answer[n]["tx_bytes"] > 0 for n in (1, 2, 6)), answer)
        one = self.get("port", "/2")
        the(len(one) == 1 and one[0]["port_no"] == 2 and one[0]["rx_packets"] >= answer[2]["rx_packets"], one)
        the(self.get("port", "/4711") == [], "there is no port 4711")

    def queue(self):
        for tail in "", "/1", "/ALL/1", "/1/1":
            answer = self.get("queue", tail)
            the(isinstance(answer, list) and all({"port_no", "queue_id", "tx_packets"} <= q.keys() for q in answer), answer)

    def queueconfig(self):
        for tail in "", "/1", "/ALL":
            answer = self.get("queueconfig", tail)
            the(isinstance(answer, list), answer)
            for port in answer:
                the(isinstance(port["queues"], list) and (tail != "/1" or port["port"] == 1), answer)

    def later_versions(self):
        """What OpenFlow 1.3 does not have ofctl_rest answers itself."""
        for path in "queuedesc", "meterdesc":
            status, _ = self.rest.ask(f"/stats/{path}/{self.dpid}")
            the(status == 501, f"{path}: {status}")

    def portdesc(self):
        for tail in "", "/1":
            answer = {p["port_no"]: p for p in self.get("portdesc", tail)}
            the(set(answer) == {1, 2, 3, 4, 5, 6, "LOCAL"}, sorted(answer, key=str))
            the(answer["LOCAL"]["name"].startswith("myswitch_") and answer[6]["name"] == "vxlan0", answer)
            the(len({p["hw_addr"] for p in answer.values()}) == 7, [p["hw_addr"] for p in answer.values()])
            the(answer[1]["config"] == 0 and not answer[1]["state"] & 1, answer[1])

    def portdesc_modify(self):
        no_packet_in = 1 << 6  # OFPPC_NO_PACKET_IN
        for config in no_packet_in, 0:
            self.rest.post("portdesc/modify", {"dpid": self.dpid, "port_no": 1, "config": config, "mask": no_packet_in})
            soon(lambda: self.get("portdesc"), lambda a: any(p["port_no"] == 1 and p["config"] == config for p in a))  # noqa: B023
        status, _ = self.rest.ask("/stats/portdesc/modify", {"dpid": self.dpid, "port_no": 4711, "config": 0, "mask": 0})
        the(status == 404, status)

    def flowentry(self):
        post, flow = self.rest.post, self.flow
        post("flowentry/add", flow | {"actions": [{"type": "OUTPUT", "port": 2}], "idle_timeout": 300, "hard_timeout": 600, "flags": 1})
        f = soon(self.ours, lambda a: len(a) == 1)[0]
        the((f["table_id"], f["priority"], f["cookie"], f["idle_timeout"], f["hard_timeout"], f["flags"]) == (3, 9, 0x5151, 300, 600, 1), f)
        the(f["actions"] == ["OUTPUT:2"] and f["match"] == {"in_port": 1, "dl_type": 2048, "nw_dst": "10.0.0.0/255.0.0.0"}, f)
        # an equal match of another priority is another flow
        post("flowentry/add", flow | {"priority": 10, "actions": [{"type": "OUTPUT", "port": 3}]})
        soon(self.ours, lambda a: len(a) == 2)
        post("flowentry/modify", flow | {"match": {"in_port": 1}, "priority": 0, "actions": [{"type": "OUTPUT", "port": 4}]})
        soon(self.ours, lambda a: [x["actions"] for x in a] == [["OUTPUT:4"]] * 2)
        post("flowentry/modify_strict", flow | {"actions": [{"type": "SET_FIELD", "field": "eth_src", "value": "02:00:00:00:00:99"}, {"type": "OUTPUT", "port": "IN_PORT"}]})
        soon(self.ours, lambda a: sorted(x["actions"] for x in a) == [["OUTPUT:4"], ["SET_FIELD: {eth_src:02:00:00:00:00:99}", "OUTPUT:IN_PORT"]])
        post("flowentry/delete_strict", flow)
        f = soon(self.ours, lambda a: len(a) == 1)[0]
        the(f["priority"] == 10, f)
        # neither strict nor by priority, and limited by what the flow sends to
        post("flowentry/delete", flow | {"match": {}, "out_port": 5})
        time.sleep(0.2)
        the(len(self.ours()) == 1, "a delete with out_port=5 took a flow that sends to 4")
        post("flowentry/delete", flow | {"match": {}, "out_port": 4})
        soon(self.ours, lambda a: a == [])

    def instructions(self):
        actions = [{"type": "WRITE_METADATA", "metadata": 5, "metadata_mask": 7}, {"type": "GOTO_TABLE", "table_id": 4},
                   {"type": "WRITE_ACTIONS", "actions": [{"type": "PUSH_VLAN", "ethertype": 0x8100}, {"type": "OUTPUT", "port": 2}]}, {"type": "CLEAR_ACTIONS"}]
        self.rest.post("flowentry/add", self.flow | {"actions": actions})
        f = soon(self.ours, lambda a: len(a) == 1)[0]
        the("GOTO_TABLE:4" in f["actions"] and "WRITE_METADATA:0x5/0x7" in f["actions"] and "CLEAR_ACTIONS" in f["actions"], f["actions"])
        written = next((a["WRITE_ACTIONS"] for a in f["actions"] if isinstance(a, dict)), None)
        the(written == ["PUSH_VLAN:33024", "OUTPUT:2"], f["actions"])
        self.rest.post("flowentry/delete", self.flow)
        soon(self.ours, lambda a: a == [])

    def flowentry_clear(self):
        status, _ = self.rest.ask(f"/stats/flowentry/clear/{self.dpid}", method="DELETE")
        the(status == 200, status)
        soon(lambda: self.get("flow"), lambda a: a == [])
        self.get("portdesc")  # to which the application answers by laying its flows anew
        soon(lambda: self.get("flow"), lambda a: len(a) == 16)

    def groups(self):
        f = self.get("groupfeatures")[0]
        the({"ALL", "SELECT", "INDIRECT", "FF"} <= set(f["types"]), f)
        the(len(f["max_groups"]) == 4 and len(f["actions"]) == 4, f)
        the(self.get("groupdesc") == [] and self.get("group") == [], "groups that nobody made")
        group = {"dpid": self.dpid, "group_id": 50, "type": "SELECT",
                 "buckets": [{"weight": 1, "actions": [{"type": "OUTPUT", "port": 1}]}, {"weight": 3, "actions": [{"type": "OUTPUT", "port": 2}]}]}
        self.rest.post("groupentry/add", group)
        d = soon(lambda: self.get("groupdesc"), lambda a: len(a) == 1)[0]
        the((d["group_id"], d["type"], [b["weight"] for b in d["buckets"]], [b["actions"] for b in d["buckets"]])
            == (50, "SELECT", [1, 3], [["OUTPUT:1"], ["OUTPUT:2"]]), d)
        the(self.get("groupdesc", "/50") == self.get("groupdesc"), "groupdesc/50")
        self.rest.post("flowentry/add", self.flow | {"actions": [{"type": "GROUP", "group_id": 50}]})
        soon(self.ours, lambda a: len(a) == 1 and a[0]["actions"] == ["GROUP:50"])
        for tail in "", "/50":
            s = self.get("group", tail)
            the(len(s) == 1 and s[0]["group_id"] == 50 and len(s[0]["bucket_stats"]) == 2, s)
            the(s[0]["ref_count"] == 1 and s[0]["packet_count"] == 0, s)
        the(len(self.ours(out_group=50)) == 1, "out_group=50")
        self.rest.post("groupentry/modify", group | {"type": "FF", "buckets": [{"watch_port": 1, "actions": [{"type": "OUTPUT", "port": 3}]}]})
        d = soon(lambda: self.get("groupdesc"), lambda a: len(a) == 1 and a[0]["type"] == "FF")[0]
        the(d["buckets"][0]["watch_port"] == 1 and d["buckets"][0]["actions"] == ["OUTPUT:3"], d)
        self.rest.post("groupentry/delete", {"dpid": self.dpid, "group_id": 50})
        soon(lambda: self.get("groupdesc"), lambda a: a == [])
        soon(self.ours, lambda a: a == [])  # the flows that use a group go with it (OpenFlow 1.3.5, 6.5)

    def meters(self):
        f = self.get("meterfeatures")[0]
        the(f["max_meter"] > 0 and f["max_bands"] > 0 and "DROP" in f["band_types"] and {"KBPS", "PKTPS"} <= set(f["capabilities"]), f)
        the(self.get("meterconfig") == [] and self.get("meter") == [], "meters that nobody made")
        meter = {"dpid": self.dpid, "meter_id": 60, "flags": ["KBPS", "BURST", "STATS"], "bands": [{"type": "DROP", "rate": 1000, "burst_size": 200}]}
        self.rest.post("meterentry/add", meter)
        c = soon(lambda: self.get("meterconfig"), lambda a: len(a) == 1)[0]
        the(c["meter_id"] == 60 and {"KBPS", "BURST"} <= set(c["flags"]), c)
        the([(b["type"], b["rate"], b["burst_size"]) for b in c["bands"]] == [("DROP", 1000, 200)], c)
        self.rest.post("flowentry/add", self.flow | {"actions": [{"type": "METER", "meter_id": 60}, {"type": "OUTPUT", "port": 2}]})
        soon(self.ours, lambda a: len(a) == 1 and sorted(a[0]["actions"]) == ["METER:60", "OUTPUT:2"])
        for tail in "", "/60":
            s = self.get("meter", tail)
            the(len(s) == 1 and s[0]["meter_id"] == 60 and s[0]["flow_count"] == 1 and len(s[0]["band_stats"]) == 1, s)
            the(self.get("meterconfig", tail)[0]["meter_id"] == 60, tail)
        self.rest.post("meterentry/modify", meter | {"flags": ["PKTPS"], "bands": [{"type": "DROP", "rate": 50}]})
        soon(lambda: self.get("meterconfig"), lambda a: a[0]["bands"][0]["rate"] == 50 and "PKTPS" in a[0]["flags"])
        self.rest.post("meterentry/delete", {"dpid": self.dpid, "meter_id": 60})
        soon(lambda: self.get("meterconfig"), lambda a: a == [])
        soon(self.ours, lambda a: a == [])  # as with groups (6.6)

    def role(self):
        the(self.get("role")[0]["role"] == "EQUAL", self.get("role"))
        for role in "MASTER", "SLAVE", "EQUAL":
            self.rest.post("role", {"dpid": self.dpid, "role": role})
            soon(lambda: self.get("role"), lambda a: a and a[0]["role"] == role)  # noqa: B023
            if role == "SLAVE":  # a slave may not change the switch
                self.rest.post("flowentry/add", self.flow | {"actions": []})
                time.sleep(0.2)
                the(self.ours() == [], "a slave's flow was added")

    def experimenter(self):
        """The switch knows no such experimenter: an error, and no end of the connection."""
        body = {"dpid": self.dpid, "experimenter": 0x00ABCDEF, "exp_type": 7, "data_type": "ascii", "data": "data"}
        status, _ = self.rest.ask(f"/stats/experimenter/{self.dpid}", body)
        the(status == 200, status)
        self.desc()

    def refused(self):
        """Commands that the switch must refuse leave nothing behind."""
        self.rest.post("flowentry/add", self.flow | {"actions": [{"type": "GROUP", "group_id": 4711}]})
        self.rest.post("flowentry/add", self.flow | {"actions": [{"type": "METER", "meter_id": 4711}]})
        self.rest.post("flowentry/add", self.flow | {"actions": [{"type": "GOTO_TABLE", "table_id": 2}]})
        self.rest.post("flowentry/add", self.flow | {"match": {"tcp_src": 80}, "actions": []})
        self.rest.post("groupentry/modify", {"dpid": self.dpid, "group_id": 4711, "type": "ALL", "buckets": []})
        self.rest.post("meterentry/modify", {"dpid": self.dpid, "meter_id": 4711, "flags": ["KBPS"], "bands": []})
        time.sleep(0.3)
        the(self.ours() == [], self.ours())
        the(self.get("groupdesc") == [] and self.get("meterconfig") == [], "a group or meter that was only to be modified")


def every(url, dpid):
    rest = Rest(url)
    work = Every(rest, int(dpid))
    for name in ("switches", "desc", "flow_get", "flow_filtered", "aggregateflow", "table", "tablefeatures", "port", "queue", "queueconfig",
                 "later_versions", "portdesc", "portdesc_modify", "flowentry", "instructions", "groups", "meters", "role", "experimenter",
                 "refused", "flowentry_clear"):
        title = name.replace("_", " ")
        try:
            getattr(work, name)()
            print(f"ok    {title}")
        except (AssertionError, KeyError, IndexError, TypeError, ValueError, OSError) as error:
            print(f"FAIL  {title}: {type(error).__name__} {str(error)[:600]}".replace("AssertionError ", ""))
            # what a check left half done would only make the next ones fail
            for path, body in ("flowentry/delete", work.flow | {"match": {}}), ("groupentry/delete", {"dpid": work.dpid, "group_id": 50}), \
                    ("meterentry/delete", {"dpid": work.dpid, "meter_id": 60}), ("role", {"dpid": work.dpid, "role": "EQUAL"}):
                rest.ask(f"/stats/{path}", body)


VERBS = {"flows": flows, "dpid": dpid, "mark": mark, "marked": marked, "unmark": unmark, "every": every}
if len(sys.argv) < 4 or sys.argv[1] not in VERBS:
    sys.exit(__doc__)
VERBS[sys.argv[1]](*sys.argv[2:])
