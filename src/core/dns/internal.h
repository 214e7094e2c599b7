/* Shared between the files of core/dns. From the bottom: providers, setup, places, answer, local, cache, out, race, dns. */
#ifndef WARREN_CORE_DNS_INTERNAL_H
#define WARREN_CORE_DNS_INTERNAL_H

#include "base/arena/arena.h"
#include "base/err/err.h"
#include "base/heap/heap.h"
#include "base/list/list.h"
#include "base/map/map.h"
#include "core/dns/dns.h"
#include "core/dns/names/names.h"

#include <errno.h>

enum {
	TTL_LOCAL = 5, /* of names of the tailnet: a device may move to another address */
	TTL_LOCAL_SOA = 10,
	PATHS_MAX = 2 * DNS_UPSTREAMS_MAX,
};

/* ---- providers.c: resolvers of the public that we know by their addresses ---- */

/* The provider's URL for DNS over HTTPS, written to out; false: it is not one of them. */
enum { PROVIDER_URL_MAX = 96 };
bool provider_url(struct ipaddr ip, char out[static PROVIDER_URL_MAX]);
/* Addresses that are spoken to over HTTPS only: plain DNS to them would be somebody else's profile, or nothing. */
bool provider_is_https_only(struct ipaddr ip);
/* Where a known provider's URL is served. Returns how many, DNS_DIAL_MAX at the most; 0: not known. */
size_t provider_addresses(const char *url, struct ipaddr ret[static DNS_DIAL_MAX]);

/* ---- setup.c: a configuration as the engine uses it ---- */

/* Where a server is that is known by its name only. Its addresses are in the path's `up`. */
struct place {
	struct dnsmsg_name name; /* lower case */
	struct ipaddr found[DNS_DIAL_MAX];
	size_t n_found;
	uint32_t ttl;       /* seconds, of what was found */
	unsigned n_pending; /* questions under way: one a family */
	bool wanted, heard;
	mono_ns good_until;
	mono_ns ask_after; /* not before: it was asked a moment ago */
};

/* One way to one server, and what is known of it. */
struct path {
	struct dns_upstream up;
	struct place *place; /* NULL: it has addresses */
	bool fallback; /* plain DNS to a server that is reached over HTTPS as well: begins late */
	mono_ns rtt;   /* smoothed; 0: not known */
	mono_ns silent_since; /* the first question without any reply since the last reply; 0: none */
	mono_ns next_try;     /* while silent: asked again from then on, beside the others */
	uint32_t failures;    /* in a row */
	uint8_t returned; /* how often a question of ours came back to us while it was under way */
	bool loop;
};

struct route {
	struct map_node node; /* by suffix */
	struct dnsmsg_name suffix;
	bool local; /* what is not known in it does not exist */
	struct path *paths;
	size_t n_paths;
};

struct record {
	struct map_node node; /* by name: the first of a name */
	struct record *next;  /* of the same name */
	struct map_node by_addr;
	struct dnsmsg_name name;
	struct ipaddr ip; /* of A and AAAA */
	uint16_t type, rdata_len;
	const uint8_t *rdata;
};

struct filtered {
	struct dnsmsg_name name;
	bool below; /* below it only; else it alone */
};

struct setup {
	struct arena mem; /* holds all of it */
	const struct dns_names *names;
	struct dnsmsg_name domain; /* len 0: none */
	bool magic, v6_only, aaaa, no_tcp_retries, no_base;
	struct map routes, records, addrs;
	struct route *list; /* all of them */
	size_t n_list;
	struct route defaults;
	struct filtered *filtered;
	size_t n_filtered;
	struct ipaddr *own;
	size_t n_own;
	uint64_t ignored;
};

/* A new one. -ENOMEM. */
MUST_USE int setup_new(struct setup **ret, const struct dns_config *c, struct rng *rng);
struct setup *setup_free(struct setup *s);
/* Paths to servers, into the arena. Those at addresses of our own are left out. -ENOMEM. */
MUST_USE int setup_paths(struct arena *mem, const struct dns_upstream *up, size_t n,
	const struct ipaddr *own, size_t n_own, struct route *r);
/* An address of this device: whoever asks there asks us. */
bool setup_is_own(const struct setup *s, struct ipaddr ip);
/* The route with the longest suffix that the name (lower case) has; NULL: none but the defaults. */
const struct route *setup_route(const struct setup *s, const struct dnsmsg_name *lower);

/* ---- answer.c ---- */

/* A question as it was understood. */
struct ask {
	struct list link; /* of those that wait for one job */
	struct dns_client who;
	bool own; /* of the engine itself: where one of its servers is */
	uint16_t id, flags;
	struct dnsmsg_question q; /* as sent, letters too */
	struct dnsmsg_name lower;
	bool has_opt, dnssec_ok;
	size_t limit; /* bytes of an answer */
};

#define ANSWER_MAX (DNS_REPLY_MAX + DNSMSG_OPT_LEN)

/* An answer of our own: QR, RA as RD was, opcode, RD and CD of the question; `flags` beside these, with the result code. */
void answer_begin(struct wcur *w, const struct ask *a, uint16_t flags);
/* OPT, and the cut: what does not fit is left out and TC is set. Returns the length; true in *cut: it did not fit. */
size_t answer_end(struct wcur *w, const struct ask *a, uint8_t rcode_high, bool *cut);
/* An upstream's message (without OPT) for this question: its id and letters; `age` seconds are taken off the times to live, stale: all are 30. */
size_t answer_from(
	struct wcur *w, const struct ask *a, struct view msg, uint32_t age, bool stale, bool *cut);

/* ---- local.c: what the tailnet knows ---- */

enum local { LOCAL_ANSWERED, LOCAL_FORWARD };
/* Writes an answer (without its end), or says who is to be asked: *route, NULL for the defaults. wall: for the SOA's serial. */
enum local local_answer(const struct setup *s, const struct ask *a, unix_ms wall, struct wcur *w,
	const struct route **route);
/* RFC 6763, 11: is there a domain to browse here? Nobody upstream knows. */
bool local_is_browsing(const struct dnsmsg_name *lower);
/* Refused to peers: names of the tailnet, and what the hub lists. */
bool local_is_filtered(const struct setup *s, const struct dnsmsg_name *lower);
/* reverse.c: the address that a reverse name (lower case) stands for. */
bool reverse_address(const struct dnsmsg_name *lower, struct ipaddr *ret);

/* ---- cache.c ---- */

enum { CACHE_KEY_MAX = DNSMSG_NAME_MAX + 5 };

struct cache {
	struct map map;
	struct list lru; /* newest first */
	size_t bytes;
	uint64_t evicted;
};

struct cached {
	struct view msg; /* without OPT */
	uint32_t age;    /* seconds */
	bool stale;
	mono_ns recheck; /* stale: upstreams were asked in vain, and are not to be asked again before; 0: not */
};

/* Key of a question: name, type, class, and the bits that change an answer. Returns its length. */
size_t cache_key(const struct ask *a, uint8_t out[static CACHE_KEY_MAX]);
void cache_init(struct cache *c, struct rng *rng);
void cache_fini(struct cache *c);
void cache_flush(struct cache *c);
bool cache_find(struct cache *c, struct view key, mono_ns now, struct cached *ret);
/* Keeps a reply, if it may be kept. -ENOMEM: it is not. */
MUST_USE int cache_put(struct cache *c, struct view key, const struct dnsmsg *m, mono_ns now);
/* Nobody answered: what is stale is good until then without asking. */
void cache_postpone(struct cache *c, struct view key, mono_ns recheck);

/* ---- what the owner is to do ---- */

struct out {
	struct list link;
	struct dns_out o;
	uint8_t bytes[];
};

/* ---- the engine ---- */

enum try_state {
	TRY_WAITS,
	TRY_PLACE, /* for the addresses of its server */
	TRY_RUNS,
	TRY_ENDED,
};

/* What one path of the route has done for a job. */
struct
try {
	struct path *path;
	enum try_state state;
	mono_ns begin; /* TRY_WAITS: then */
	mono_ns next;  /* plain: send again, or over TCP, then */
	uint8_t n_udp;
	bool tcp;       /* was begun */
	uint8_t n_open; /* exchanges */
};

struct job {
	struct map_node node; /* by key */
	struct heap_node timer;
	struct list link;    /* of the engine's jobs */
	struct list waiters; /* struct ask */
	struct list exchanges;
	bool joinable, done;
	bool raw; /* passed on as it came: not kept, not joined */
	uint8_t key[CACHE_KEY_MAX];
	size_t key_len;
	struct dnsmsg_question q;
	uint16_t flags;
	bool had_stale;
	mono_ns created, fallback_at, stale_at, deadline;
	struct try tries[PATHS_MAX];
	size_t n_tries;
	uint8_t *held; /* the best of what is no good answer */
	size_t held_len;
	int held_rank;
	size_t msg_len;
	uint8_t msg[]; /* the question, id zero */
};

struct exchange {
	struct map_node node; /* by number */
	struct list link;
	uint64_t number;
	struct job *job;
	size_t try;
	enum dns_transport transport;
	struct dns_upstream to;
	uint16_t id;
	mono_ns sent;
	unsigned n_bad;
	bool given; /* to the owner, by dns_next */
};

struct group {
	struct map_node node;
	uint64_t id;
	size_t n;
};

struct dns {
	struct rng *rng;
	struct setup *setup;
	struct arena base_mem;
	struct route base;
	struct cache cache;
	struct list out;
	struct out *taken; /* by the last dns_next */
	struct map jobs, exchanges, groups;
	struct heap timers;
	struct list all_jobs;
	size_t n_jobs, n_waiters;
	uint64_t next_exchange;
	mono_ns failing_since;
	bool places_wanted, places_heard; /* of any path */
	struct dns_counters n;
	uint8_t scratch[ANSWER_MAX];
};

/* ---- places.c: servers that are known by name only ---- */

enum place_state {
	PLACE_KNOWN,
	PLACE_ASKED,   /* it is being found out, or will be before the call ends */
	PLACE_UNKNOWN, /* and not asked for at the moment */
};
/* Of a path that is to be used now. */
enum place_state places_find(struct dns *d, struct path *p, mono_ns now);
/* A question for a path's place, if one is wanted: true. The caller asks it for A and for AAAA. */
bool place_wanted(struct dns *d, struct dnsmsg_name *ret, mono_ns now);
/* The answer to a question of our own. */
void place_heard(struct dns *d, const struct ask *a, struct view msg);
/* What was heard holds from now on. False: nothing was. */
bool places_take(struct dns *d, mono_ns now);
/* No question is under way any more. forget: what is known is of another network. */
void places_reset(struct dns *d, bool forget);

/* ---- out.c ---- */

void out_answer(struct dns *d, const struct ask *a, size_t len); /* of d->scratch */
void out_error(struct dns *d, const struct ask *a, uint16_t rcode);
/* An upstream's message for that question. */
void out_reply(struct dns *d, const struct ask *a, const struct cached *c);
void out_send(struct dns *d, const struct exchange *e, struct view msg);
void out_cancel(struct dns *d, uint64_t exchange);
void out_drop(struct dns *d);

/* ---- waiters.c: who waits for an answer ---- */

/* Is there room for one more? */
bool waiter_fits(struct dns *d, const struct ask *a);
/* A copy that waits for the job. false: no memory. */
bool waiter_add(struct dns *d, struct job *j, const struct ask *a);
void waiter_drop(struct dns *d, struct ask *a);

/* ---- paths.c: what is known of the ways to servers ---- */

/* Nothing was heard for so long that others are asked first. */
bool path_is_away(const struct path *p, mono_ns now);
void path_asked(struct path *p, mono_ns now);
void path_heard(struct path *p, mono_ns rtt);
void path_failed(struct path *p, mono_ns now);
/* When the tries of a race begin. by_address: servers whose place would have to be asked for are left out. */
void paths_plan(struct job *j, const struct route *r, bool by_address, mono_ns now);

/* ---- race.c: one question at the servers of its route ---- */

struct job *race_find(const struct dns *d, struct view key);
/*
 * Asks. raw: the message as it came, passed on so; empty: one made from the question. Takes over nothing: who waits is copied.
 * false: no memory, nobody was asked.
 */
bool race_begin(struct dns *d, const struct route *r, const struct ask *a, struct view raw,
	bool stale, struct now now);
void race_run(struct dns *d, struct job *j, struct now now);
/* A question that is just what we ask there: is it ours, come back? Its server is not used any more when it happens again. */
void race_returned(struct dns *d, struct job *j, uint16_t id, struct now now);
/* Questions that waited for the place of a server go on. */
void race_places(struct dns *d, struct now now);
void race_lost(struct dns *d, struct exchange *e, struct now now);
void race_won(struct dns *d, struct exchange *e, const struct dnsmsg *m, struct now now);
/* Ends all exchanges of a job, and the job. Waiters are to be gone. */
void race_drop(struct dns *d, struct job *j);

#endif
