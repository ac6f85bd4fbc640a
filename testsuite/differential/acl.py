#!/usr/bin/python3
"""Compares SMTP sessions of two binaries, answers and traces (`-bh`, `-bhc`, `-bs`, `-bS`), case by case.

    sudo testsuite/differential/acl.py [--only WORD] [--random N] [--sessions A-B] [--seed N] [--show N] [--part I/N] OURS REFERENCE

A case is a piece of configuration and what a client says. There is at least one for every verb, condition, modifier and
control of ACLs, for every place where an ACL runs, and for the options of reception; `--random` adds sessions and ACLs put
together by chance, `--sessions` the sessions of session_cases.py with these numbers, and nothing else. Names are answered by a small name server in a network name space of its own, where the mail servers
that callouts ask live too. What differs on purpose is in the lists REPLACED and ANOTHER_WAY of acl_cases.py, with the
reasons; a session that goes another way is had once more without what led there. The exit status is 1 if anything else differs.
"""
import argparse
import collections
import os
import random
import subprocess
import sys
import tempfile

if os.environ.get("OXIM_IN_NS") != "1" and "-h" not in sys.argv and "--help" not in sys.argv:
    os.environ["OXIM_IN_NS"] = "1"
    os.execvp("unshare", ["unshare", "-n", "-m", "--", sys.executable, os.path.abspath(__file__), *sys.argv[1:]])

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import acl_cases  # noqa: E402  (the path comes first)
import acl_world  # noqa: E402
import session_cases  # noqa: E402


def compare(world, case, binaries):
    """The two outputs, made comparable."""
    return [world.run(binary, name, case) for name, binary in binaries.items()]


def judge(world, case, binaries, count, reasons):
    """Counts the case, or gives the two outputs that differ without a reason."""
    ours, reference = compare(world, case, binaries)
    if ours == reference:
        count["same"] += 1
        return None
    # Each remedy may bring up the next difference; none is used twice.
    used = []
    while not acl_cases.equal(case, ours, reference):
        reason, again = acl_cases.another_way(case, ours, reference) or (None, None)
        if reason is None or reason in used:
            return ours, reference
        used.append(reason)
        if again is None:
            reasons[reason + " (not compared from there on)"] += 1
            return None
        case, (ours, reference) = again, compare(world, again, binaries)
    reasons[used[0] if used else "replaced"] += 1
    return None


def show(case, ours, reference, most):
    import difflib
    print(f"--- {case.name}")
    lines = difflib.unified_diff(reference.split("\n"), ours.split("\n"), "reference", "ours", lineterm="", n=2)
    for n, line in enumerate(lines):
        if n > most:
            print("    ...")
            break
        print("    " + line)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases whose names have this word")
    parser.add_argument("--part", default="1/1", metavar="I/N", help="the I-th of N parts of them")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="so many random cases besides (they are parted, too)")
    parser.add_argument("--sessions", metavar="A-B", help="sessions of session_cases.py by their numbers, in place of the cases")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=30, metavar="N", help="lines of each difference")
    parser.add_argument("ours")
    parser.add_argument("reference")
    options = parser.parse_args()
    binaries = {"ours": os.path.abspath(options.ours), "reference": os.path.abspath(options.reference)}
    if options.sessions:
        first, _, last = options.sessions.partition("-")
        cases = [session_cases.session(n) for n in range(int(first), int(last or first) + 1)]
    else:
        cases = list(acl_cases.all_cases())
    cases = [c for c in cases if options.only in c.name]
    rng = random.Random(options.seed)
    cases += [acl_cases.random_case(rng, n) for n in range(options.random)]
    part, parts = (int(n) for n in options.part.split("/"))
    cases = cases[part - 1::parts]
    count = {"same": 0, "different": 0}
    reasons = collections.Counter()
    with tempfile.TemporaryDirectory(prefix="acl-diff") as directory, acl_world.World(directory) as world:
        for case in cases:
            difference = judge(world, case, binaries, count, reasons)
            if difference:
                count["different"] += 1
                show(case, *difference, options.show)
    for reason, n in reasons.most_common():
        print(f"{n:5} {reason}")
    print(f"{len(cases)} sessions: {count['same']} the same, {reasons.total()} different on purpose, {count['different']} unexplained")
    return 1 if count["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
