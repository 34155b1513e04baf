#!/usr/bin/env python3
"""stats_check.py FILE REASON...: looks at `stats --json`. Each REASON must stand there with a count above
zero, and every count must be a number that is not negative. Prints "ok|bad TAB name TAB why" lines."""
import json
import sys


def walk(node, path=()):
    """Every number, with the names that lead to it."""
    if isinstance(node, dict):
        label = (str(node["name"]),) if "name" in node else ()
        for key, value in node.items():
            yield from walk(value, path + label + (str(key),))
    elif isinstance(node, list):
        for value in node:
            yield from walk(value, path)
    elif isinstance(node, (int, float)) and not isinstance(node, bool):
        yield path, node


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        numbers = list(walk(json.load(f)))
    for reason in sys.argv[2:]:
        n = sum(value for path, value in numbers if reason in path)
        print(f"{'ok' if n else 'bad'}\tdrops for {reason} are counted: {n}\tno count above zero")
    negative = [path for path, value in numbers if value < 0]
    print(f"{'bad' if negative else 'ok'}\tno count is negative\t{negative[:3]}")


main()
