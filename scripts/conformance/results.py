#!/usr/bin/env python3
"""Results of scripts/conformance/run: rows of category, file, test, OK or ERROR, reason, with tabs between.

results.py plan PATTERNS LANES PART...   divides the parts' files over lanes: lines of lane number and file
results.py collect FILE RESULTS...       all rows, in order; the tests of the pattern files that FILE lists and that
                                         have no row are added as errors
results.py summary RESULTS               counts for each category, and the files with errors
results.py compare RESULTS RESULTS       the tests whose verdict differs
results.py unexpected RESULTS KNOWN      the errors that KNOWN does not list; status 1 if there are any"""
import collections
import json
import os
import sys

# An estimate is enough: seconds for a test that sends one frame, and for one that measures a throughput.
ONE_FRAME, THROUGHPUT = 0.7, 31
# At 10,000 packets a second and more a test needs a processor for itself: these are not run beside each other.
HEAVY = 10_000


def tests(path):
    """The description and the tests of a pattern file."""
    with open(path, encoding="utf-8") as f:
        content = json.load(f)
    return content[0], [t for t in content if isinstance(t, dict)]


def cost(path):
    """Seconds that a pattern file takes, and whether it is heavy."""
    seconds, heavy = 0, False
    for test in tests(path)[1]:
        for step in test["tests"]:
            timed = isinstance(step["ingress"], dict)
            seconds += THROUGHPUT if timed else ONE_FRAME
            heavy |= timed and step["ingress"]["packets"].get("pktps", 0) >= HEAVY
    return seconds, heavy


def category(file):
    return "set_field" if "set_field" in file else file.partition(":")[0].strip()


def plan(patterns, lanes, *parts):
    files = []
    for part in parts:
        path = os.path.join(patterns, part)
        if os.path.isfile(path):
            files.append(path)
        else:
            found = [os.path.join(d, n) for d, _, names in os.walk(path) for n in names if n.endswith(".json")]
            if not found:
                sys.exit(f"no test patterns at {path}")
            files += found
    costs = {path: cost(path) for path in dict.fromkeys(files)}
    load = [0] * int(lanes)
    # the dearest first, each to the lane with the least to do; the heavy ones all to lane 0
    for path in sorted(costs, key=lambda p: (not costs[p][1], -costs[p][0], p)):
        lane = 0 if costs[path][1] else load.index(min(load))
        load[lane] += costs[path][0]
        print(lane, path, sep="\t")


def rows(path):
    with open(path, encoding="utf-8") as f:
        return [line.rstrip("\n").split("\t") for line in f]


def keyed(path):
    """Rows by file, test and occurrence: some descriptions occur twice in a file."""
    seen, out = collections.Counter(), {}
    for row in rows(path):
        key = (row[1], row[2])
        out[*key, seen[key]] = row
        seen[key] += 1
    return out


def collect(listing, *results):
    done = [row for path in results if os.path.exists(path) for row in rows(path)]
    seen = collections.Counter((row[1], row[2]) for row in done)
    for _, path in rows(listing):
        file, content = tests(path)
        for test in content:
            name = " ".join(test["description"].split())
            if seen[file, name]:
                seen[file, name] -= 1
            else:
                done.append([category(file), file, name, "ERROR", "not run: the switch or the tester went away"])
    done.sort(key=lambda row: row[1])
    for row in done:
        print(*row, sep="\t")


def summary(path):
    categories, files = collections.defaultdict(collections.Counter), collections.defaultdict(collections.Counter)
    for row in rows(path):
        for counter in (categories[row[0]], categories["total"], files[row[1]]):
            counter[row[3]] += 1
    total = categories.pop("total", collections.Counter())
    for name, c in [*sorted(categories.items()), ("total", total)]:
        print(f"{name:10} {c['OK']:4} of {c['OK'] + c['ERROR']:4}")
    failing = [(name, c) for name, c in sorted(files.items()) if c["ERROR"]]
    if failing:
        print("errors in:")
    for name, c in failing:
        print(f"  {name:44} {c['ERROR']:3} of {c['OK'] + c['ERROR']:3}")


def compare(first, second):
    a, b = keyed(first), keyed(second)
    for key in sorted(a.keys() | b.keys()):
        x, y = (side.get(key, [""] * 3 + ["absent", ""]) for side in (a, b))
        if x[3] != y[3]:
            print(key[0], key[1], x[3], y[3], x[4] or y[4], sep="\t")


def unexpected(path, known):
    listed = {tuple(row[:2]) for row in rows(known) if not row[0].startswith("#")}
    errors = [row for row in rows(path) if row[3] != "OK"]
    new = [row for row in errors if (row[1], row[2]) not in listed]
    for row in new:
        print(*row[1:], sep="\t")
    print(f"{len(errors) - len(new)} known errors, {len(new)} others")
    sys.exit(bool(new))


VERBS = {"plan": plan, "collect": collect, "summary": summary, "compare": compare, "unexpected": unexpected}
if len(sys.argv) < 3 or sys.argv[1] not in VERBS:
    sys.exit(__doc__)
VERBS[sys.argv[1]](*sys.argv[2:])
