"""Shapes of JSON documents: which fields there are and of which type. Maps whose keys are data count as one field."""

DATA_KEYS = {"Peer", "User", "Regions", "CapMap", "UserProfiles", "Warnings", "LivePeers", "Args", "Routes", "DERPLatency",
             "PeerState", "RegionLatency", "RegionV4Latency", "RegionV6Latency", "GlobalV4Counters", "GlobalV6Counters",
             "SplitDNSRoutes", "Features"}
# Documents that come from the hub and are handed on: what is in them is not ours to say, only how it is written.
HANDED_ON = {"Node", "SelfNode", "SelfChange", "Peers", "PeersChanged", "DNS", "DERPMap", "PacketFilterRules", "ExtraRecords"}
# Left out when empty; every recording happened to have them.
MAY_BE_ABSENT = {"sshHostKeys", "BrokenSince", "Capabilities", "ETag", "CapMap", "AllowedIPs",
                 "ExitNodeStatus", "ProfileName", "Expired", "KeyExpiry", "PrimaryRoutes", "Tags"}
# Younger than the recordings, which are of 1.102.5: with the version that brought them.
LATER = (".CurrentTailnet.StableID",)  # 148


def shape(v, key=None):
    if isinstance(v, dict):
        if key in DATA_KEYS:
            return {"*": union([shape(x) for x in v.values()])} if v else {}
        return {k: shape(x, k) for k, x in v.items()}
    if isinstance(v, list):
        return [union([shape(x) for x in v])] if v else []
    if v is None:
        return "null"
    return "bool" if isinstance(v, bool) else "text" if isinstance(v, str) else "number"


def union(shapes):
    out = None
    for s in shapes:
        out = merge(out, s)
    return out


def merge(a, b):
    if a in (None, "null", []):
        return b if b is not None else a
    if b in (None, "null", []):
        return a
    if isinstance(a, dict) and isinstance(b, dict):
        keys, at = list(a), 0
        for k in b:  # each where its neighbours are
            if k in a:
                at = keys.index(k) + 1
            else:
                keys.insert(at, k)
                at += 1
        return {k: merge(a.get(k), b.get(k)) for k in keys}
    if isinstance(a, list) and isinstance(b, list):
        return [merge(a[0], b[0])]
    return a


def always(shapes, path=""):
    """Paths of the fields that are in every one of the recorded documents."""
    common = None
    for s in shapes:
        here = set(s) if isinstance(s, dict) else set()
        common = here if common is None else common & here
    return common or set()


def same_order(ours, recorded):
    common = [k for k in ours if k in recorded]
    return common == [k for k in recorded if k in ours]


def differences(ours, recorded_union, recorded, path="", handed_on=False, merged=False):
    """What a reader of the recorded documents would stumble over in ours."""
    found = []
    if isinstance(ours, dict) and isinstance(recorded_union, dict):
        for k, v in ours.items():
            if k not in recorded_union and "*" not in recorded_union:
                if not handed_on and not f"{path}.{k}".endswith(LATER):
                    found.append(f"{path}.{k}: not in any recording")
            else:
                r = k if k in recorded_union else "*"
                found += differences(v, recorded_union[r], [s.get(r) for s in recorded if isinstance(s, dict) and r in s],
                                     f"{path}.{k}", handed_on or k in HANDED_ON, merged or r == "*")
        for k in always(recorded) - set(ours) - {"*"} - MAY_BE_ABSENT:
            if not handed_on:
                found.append(f"{path}.{k}: missing")
        # Shapes of many items are merged, which leaves the order open; src/proto/ipn/ipn_test.c checks it there.
        if not merged and not all(same_order(ours, s) for s in recorded if isinstance(s, dict) and "*" not in s):
            found.append(f"{path}: order of fields")
    elif isinstance(ours, list) and isinstance(recorded_union, list):
        if ours and recorded_union:
            inner = [s[0] for s in recorded if isinstance(s, list) and s]
            found += differences(ours[0], recorded_union[0], inner, path + "[]", handed_on, True)
    elif ours not in ("null", [], {}) and recorded_union not in ("null", None, [], {}) and ours != recorded_union:
        found.append(f"{path}: {ours}, recorded {recorded_union}")
    return found
