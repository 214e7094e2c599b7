"""What a test says, as TAP: one line for each check, and why it failed behind it."""
results = []


def check(name, ok, why=""):
    results.append(bool(ok))
    print(f"{'ok' if ok else 'not ok'} {len(results)} - {name}", flush=True)
    for line in [] if ok else "\n".join(map(str, why)).splitlines() if isinstance(why, list) else str(why).strip().splitlines():
        print("# " + line, flush=True)
    return bool(ok)
