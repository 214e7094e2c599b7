/*
 * core/filter: may this packet pass? Inbound packets are judged by the rules that the hub sent,
 * default-deny, with memory of the flows that this node began; outbound packets are only noted. The
 * order on the way in: the packet was opened by a peer's session, its source belongs to that peer,
 * then this.
 *
 * Rules are compiled into an immutable table, and the flows live beside it, so that new rules cost
 * the running connections nothing:
 *
 *   rule lists, self, peers --filter_rules_new--> struct filter_rules --filter_swap--> struct
 * filter <-- packets
 *
 * A lookup is a search by destination, one by source and one by port, each in a sorted array: its
 * cost grows with the logarithm of the rules.
 *
 * Source: Tailscale wgengine/filter; tests/vectors/filter.jsonl.
 */
#ifndef WARREN_CORE_FILTER_FILTER_H
#define WARREN_CORE_FILTER_FILTER_H

#include "base/rng/rng.h"
#include "proto/ip/ip.h"
#include "proto/tailcfg/tailcfg.h"

struct netmap;

enum {
	FILTER_FLOWS_MAX = 512, /* remembered outbound flows; the least recently used goes first */
	FILTER_ADMITTED_MAX =
		4096, /* remembered flows that a rule let in; one that is forgotten goes on whatever the rules */
	FILTER_RULES_MAX = 65536,    /* in all lists */
	FILTER_RANGES_MAX = 4 << 20, /* source addresses and destinations of all rules */
	FILTER_CAP_NAMES_MAX = 1024, /* different capabilities as sources */
	FILTER_TABLE_MAX = 4 << 20,  /* cells of the compiled table; rules that would take more are
					scanned instead */
};

/* --- rules --- */

struct filter_rules;

/* Who holds a node capability, for sources written as "cap:NAME". */
struct filter_holder {
	struct ipaddr addr;
	const struct json_map *caps;
};

/* What this node carries for others: of what it offers only what the hub approved is reached. */
struct filter_carry {
	const struct ipprefix *offered, *approved;
	size_t n_offered, n_approved;
	/*
	 * The networks of this machine, its addresses among them: never part of a default route. As
	 * long as they are not known, no default route is served.
	 */
	const struct ipprefix *nets;
	size_t n_nets;
	bool nets_known;
};

struct filter_cfg {
	const struct json_list *lists; /* of struct tc_filter_rule */
	size_t n_lists;
	const struct ipprefix *local; /* own addresses */
	size_t n_local;
	struct filter_carry carry;
	const struct filter_holder *holders;
	size_t n_holders;
	bool shields_up; /* no rules and no capabilities: only answers come in */
};

/* Copies what it needs. -ERR_TOO_MANY, -ENOMEM. An entry that cannot be read is left out and
 * counted. */
MUST_USE int filter_rules_new(struct filter_rules **ret, const struct filter_cfg *cfg);
/*
 * From the network map: its rules, the addresses of this node and the routes it carries (approved
 * is taken from the map). A rule whose sources touch the addresses of a peer that may reach the
 * PeerAPI only discards all rules.
 */
MUST_USE int filter_rules_from_netmap(struct filter_rules **ret, const struct netmap *nm,
	const struct filter_carry *carry, bool shields_up);
void filter_rules_free(struct filter_rules *r);
DEFINE_AUTO(filter_rules)

struct filter_rules_info {
	size_t n_rules;
	size_t n_bad;              /* entries left out */
	size_t n_cells, n_scanned; /* size of the table; destinations whose rules are scanned */
	bool uses_caps; /* depends on the peers' capabilities: compile anew when a peer changes */
	bool refused;   /* all rules were discarded: "invalid-packet-filter" */
};
struct filter_rules_info filter_rules_info(const struct filter_rules *r);

/*
 * The capabilities that src holds towards dst: name -> list of raw JSON values, an absent list when
 * it has none. Names are in the arena, values are in the rules. -ENOMEM.
 */
MUST_USE int filter_caps(const struct filter_rules *r, struct ipaddr src, struct ipaddr dst,
	struct arena *a, struct json_map *ret);

/* --- packets --- */

#define FILTER_ACCEPT_LIST(X) \
	X(KEEPALIVE, "empty packet") \
	X(FRAGMENT, "later fragment") \
	X(TCP_FLOW, "TCP of a connection") \
	X(FLOW, "answer to an outbound flow") \
	X(ICMP_ANSWER, "ICMP reply or error") \
	X(TSMP, "TSMP") \
	X(RULE, "rule") \
	X(PEERAPI, "connection to the PeerAPI") \
	X(OUT, "outbound")
#define FILTER_DROP_LIST(X) \
	X(NO_RULES, "no rules yet") \
	X(SHORT, "too short") \
	X(UNREADABLE, "cannot be read") \
	X(MULTICAST, "multicast") \
	X(LINK_LOCAL, "link-local") \
	X(NOT_LOCAL, "destination is not here") \
	X(RULES, "no rule allows it") \
	X(SHIELDS, "shields are up") \
	X(JAILED, "peer may only answer") \
	X(REVOKED, "the rule that let it in is gone")

/* Verdict and reason in one: filter_accepts tells which. */
enum filter_verdict {
#define X(id, text) FILTER_ACCEPT_##id,
	FILTER_ACCEPT_LIST(X)
#undef X
#define X(id, text) FILTER_DROP_##id,
		FILTER_DROP_LIST(X)
#undef X
			FILTER_N_VERDICTS
};

static inline bool filter_accepts(enum filter_verdict v)
{
	return v < FILTER_DROP_NO_RULES;
}

const char *filter_verdict_text(enum filter_verdict v);

struct filter;

/* Until the first filter_swap nothing passes. */
MUST_USE int filter_new(struct filter **ret, struct rng *rng);
void filter_free(struct filter *f);
DEFINE_AUTO(filter)

/* Takes the new rules and gives the old ones back (NULL at first), which the caller frees. Flows
 * stay, but not into shields. */
MUST_USE struct filter_rules *filter_swap(struct filter *f, struct filter_rules *take);
const struct filter_rules *filter_current(const struct filter *f);

/* TCP to these addresses and ports passes whatever the rules say: the PeerAPI asks who calls by
 * itself. n <= 4. */
void filter_set_peerapi(struct filter *f, const struct ipport *at, size_t n);

/* jailed: the peer whose packet this is may answer, and no more; its flows are kept apart. */
enum filter_verdict filter_in(struct filter *f, const uint8_t *pkt, size_t len, bool jailed);
enum filter_verdict filter_out(struct filter *f, const uint8_t *pkt, size_t len, bool jailed);

/* Would the rules let src begin a TCP connection to dst? Nothing is counted or remembered. Both addresses of one family. */
bool filter_lets_in(const struct filter *f, struct ipaddr src, struct ipport dst);

/*
 * What to tell the sender of an inbound packet that was dropped: a TSMP reject for an IPv4 TCP SYN,
 * so that its connection fails at once. Returns the length of the packet to send back to that peer,
 * 0 for silence.
 */
size_t filter_reject(
	enum filter_verdict v, const uint8_t *pkt, size_t len, uint8_t out[static TSMP_PACKET_MAX]);

/* How often each verdict was given, inbound and outbound. */
struct filter_counters {
	uint64_t in[FILTER_N_VERDICTS], out[FILTER_N_VERDICTS];
	uint64_t flows_evicted, admitted_evicted;
};
const struct filter_counters *filter_counters(const struct filter *f);

#endif
