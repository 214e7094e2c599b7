/*
 * core/dns: a resolver as an engine without I/O. Questions of local programs (and of peers that use this device as exit node) go in;
 * answers and questions to upstream servers come out, by value, from a queue that the owner empties after each call.
 *
 *	a program --> dns_ask --> [ names of the tailnet | split routes | cache | race of upstreams ] --> dns_next: DNS_ANSWER
 *	                                      ^                                   |
 *	                 dns_reply, dns_failed +------------- the network <------- dns_next: DNS_SEND, DNS_CANCEL
 *
 * Names of the tailnet (core/dns/names.h) are answered here and never leave the device. Everything else goes to the upstreams of the
 * route with the longest matching suffix, and to no other. What is to be checked about a reply (id, question, kind) is checked here; the
 * owner checks where it came from: a connected socket with a port of its own for each exchange over UDP.
 *
 * An upstream that is given by name alone is looked up here, of upstreams that have addresses: its own route's, the defaults, else the
 * base servers. The system is not asked: it would ask us.
 *
 * Source: RFC 1034, 1035, 2308, 6891, 8484, 8767; Tailscale net/dns/resolver.
 */
#ifndef WARREN_CORE_DNS_DNS_H
#define WARREN_CORE_DNS_DNS_H

#include "base/netip/netip.h"
#include "base/rng/rng.h"
#include "base/time/time.h"

struct dns;
struct dns_names;

enum {
	DNS_ASK_MAX = 4096,        /* bytes of a question; longer ones are refused */
	DNS_REPLY_MAX = 65535,     /* bytes of an upstream's reply */
	DNS_UDP_ANSWER_MAX = 4095, /* bytes of an answer over UDP, whatever the client takes */
	DNS_UDP_SIZE =
		1232, /* what we tell upstreams that fits: no fragments on any path (DNS flag day 2020) */
	DNS_ROUTE_TEXT_MAX = 256,
	DNS_UPSTREAMS_MAX = 16,      /* of one route; more are left out */
	DNS_JOBS_MAX = 1024,         /* different questions at upstreams at once */
	DNS_WAITERS_MAX = 4096,      /* questions of clients that wait for them */
	DNS_GROUP_WAITERS_MAX = 256, /* of one group of clients */
	DNS_CACHE_ENTRIES_MAX = 10000,
	DNS_CACHE_BYTES_MAX = 4 << 20,
};

/* How one exchange reaches its server. In a configuration, DNS_UDP is "plain": UDP, then TCP where it is needed, DoH where we know the provider. */
enum dns_transport {
	DNS_UDP, /* addr */
	DNS_TCP, /* addr; two bytes of length before each message */
	DNS_TLS, /* addr, or as HTTPS a name in `host`; the certificate is for `host`, or for addr when host is "" */
	DNS_HTTPS, /* url; dial[]: the engine has looked up where it is, unless it is an address */
	DNS_PEER, /* url: http://IP:PORT/dns-query, PeerAPI of the exit node, through the tunnel; like DoH, without TLS */
};

enum { DNS_DIAL_MAX = 8 };

struct dns_upstream {
	enum dns_transport transport;
	struct ipport addr;
	const char *url;  /* NULL: none */
	const char *host; /* NULL or "": none */
	struct ipaddr dial
		[DNS_DIAL_MAX]; /* where the URL's host is, in the order to try; TLS with a name as well */
	size_t n_dial;
};

/* A suffix and who is asked for it. No upstreams: the suffix is ours, what we do not know in it does not exist. */
struct dns_route {
	const char *
		suffix; /* "corp.example"; dots at the ends and case do not matter. Not "": see defaults */
	const struct dns_upstream *up;
	size_t n_up;
};

/* A record beside the names of nodes. */
struct dns_record {
	const char *name; /* dots at the end and case do not matter */
	const char *
		type; /* "" and NULL: A or AAAA, by the value. Also CNAME, TXT, PTR, MX, SRV; others are left out and counted */
	const char *value; /* as in a zone file; TXT: the text itself */
};

/* All but the names of nodes. Texts and lists are the caller's during the call of dns_configure only. */
struct dns_config {
	const struct dns_names *names; /* borrowed until the next dns_configure; NULL: none */
	const char *domain;            /* MagicDNS suffix: "tail1234.ts.net"; NULL: none */
	bool magic; /* MagicDNS is on: domain and the reverse zones of the tailnet are ours, short names count */
	bool v6_only; /* this device has no IPv4: AAAA only */
	bool aaaa;    /* AAAA also for nodes with an IPv4 address (node attribute magicdns-aaaa) */
	bool no_tcp_retries; /* node attribute dns-forwarder-disable-tcp-retries */
	const struct dns_record *records;
	size_t n_records;
	const struct dns_route *routes;
	size_t n_routes;
	const struct dns_upstream
		*defaults; /* for what no route has. None: the base servers (dns_set_base) */
	size_t n_defaults;
	bool no_base; /* base servers are not asked either: DNS of the device is off (CorpDNS false) */
	const char *const
		*filtered; /* ExitNodeFilteredSet: refused to peers. ".x": below x; "x": x itself */
	size_t n_filtered;
	const struct ipaddr *
		own; /* addresses of this device: never asked, that would be a loop. quad-100 need not be here */
	size_t n_own;
};

/* Who asks. The engine gives it back with the answer; `id` and `group` mean nothing to it but equality. */
struct dns_client {
	uint64_t id; /* of a socket address, a connection, a request */
	uint64_t
		group; /* who has DNS_GROUP_WAITERS_MAX questions at the most: a local port, a peer */
	bool stream;   /* TCP, HTTP: answers of any size. Else UDP: the question says what fits */
	bool peer; /* over PeerAPI: names of the tailnet are refused, they are not its business to ask here */
};

enum dns_out_kind {
	DNS_ANSWER, /* who, msg */
	DNS_SEND,   /* exchange, to, msg: send msg, then one of dns_reply, dns_failed */
	DNS_CANCEL, /* exchange: nobody waits any more; no dns_reply or dns_failed is to follow (it would be ignored) */
};

/* What is to be done. Memory: until the next call of any function of this engine that is not a getter. */
struct dns_out {
	enum dns_out_kind kind;
	struct dns_client who;
	uint64_t exchange; /* never reused */
	const struct dns_upstream *to;
	struct view msg;
};

/* rng: borrowed. -ENOMEM. */
MUST_USE int dns_new(struct dns **ret, struct rng *rng);
struct dns *dns_free(struct dns *d);

/* Takes a configuration; the cache is emptied when another one could have answered. Nothing has changed on -ENOMEM. */
MUST_USE int dns_configure(struct dns *d, const struct dns_config *c, struct now now);
/* The servers that the system had before us: asked where the configuration has no defaults. -ENOMEM. */
MUST_USE int dns_set_base(struct dns *d, const struct dns_upstream *up, size_t n, struct now now);

/*
 * A question. true: exactly one DNS_ANSWER for it comes out of dns_next, perhaps at once, unless dns_forget is called. false: it was no
 * question (an answer, or not even a header), nothing is to be sent.
 */
MUST_USE bool dns_ask(struct dns *d, struct dns_client who, struct view msg, struct now now);
/* Clients with this id are gone (their connection was closed): nobody waits for their answers. */
void dns_forget(struct dns *d, uint64_t id);

/* false: nothing more to do. */
bool dns_next(struct dns *d, struct dns_out *ret);

/*
 * What came back for an exchange, without length or HTTP around it. true: the exchange is over, close its socket. false: this was
 * not the answer (UDP: somebody guesses, or a late reply), go on listening.
 */
bool dns_reply(struct dns *d, uint64_t exchange, struct view msg, struct now now);
/* The exchange is over without an answer. rc: -errno or -ERR_*; HTTP: anything but 200 and the right content type is -EPROTO. */
void dns_failed(struct dns *d, uint64_t exchange, int rc, struct now now);

/* Another network: what is cached and what is known of upstreams is forgotten, questions under way are asked anew. */
void dns_network_changed(struct dns *d, struct now now);
void dns_flush(struct dns *d); /* the cache alone */

void dns_tick(struct dns *d, struct now now);
mono_ns dns_deadline(const struct dns *d); /* MONO_NEVER when idle */

struct dns_counters {
	uint64_t asked, answered; /* by clients; to them */
	uint64_t local;           /* answered from the names of the tailnet */
	uint64_t cached, stale;   /* from the cache; with old data, because nobody answers */
	uint64_t forwarded;       /* jobs for upstreams; several clients may wait for one */
	uint64_t joined;          /* questions that another one under way answered */
	uint64_t sent, sent_tcp, sent_doh; /* exchanges */
	uint64_t replies, late;            /* of upstreams: taken; after another one was faster */
	uint64_t failures, timeouts;       /* exchanges without an answer */
	uint64_t bad_replies;              /* wrong id, question, kind; damaged */
	uint64_t servfail_made;            /* no upstream gave an answer */
	uint64_t no_upstream;              /* there is none for that name */
	uint64_t truncated;                /* answers that did not fit what the client takes */
	uint64_t formerr, notimp, badvers, refused_peers, not_questions; /* questions */
	uint64_t refused_busy,
		refused_group; /* questions beyond DNS_JOBS_MAX, DNS_WAITERS_MAX; DNS_GROUP_WAITERS_MAX */
	uint64_t loops;        /* upstreams that turned out to ask us */
	uint64_t cache_evicted;
	uint64_t lookups;         /* names of upstreams that were asked for, of other upstreams */
	uint64_t records_ignored; /* of the configuration: types and values that we do not know */
	uint64_t no_memory;
};
const struct dns_counters *dns_counters(const struct dns *d);

/* What is there, for people: numbers of now. */
struct dns_figures {
	size_t cache_entries, cache_bytes, jobs, waiters;
};
void dns_figures(const struct dns *d, struct dns_figures *ret);

/* One upstream as the engine sees it. */
struct dns_upstream_state {
	const struct dns_upstream
		*up; /* the engine's, until the next dns_configure or dns_set_base */
	char route[DNS_ROUTE_TEXT_MAX]; /* suffix with a dot at the end; "": default */
	mono_ns rtt;                    /* smoothed; 0: not known */
	uint32_t failures;              /* in a row */
	mono_ns away_until;             /* others are asked first until then; 0: it answers */
	bool loop; /* it asks us: not used until the configuration or network changes */
};
/* The i-th; false: there are not so many. */
bool dns_upstream_at(const struct dns *d, size_t i, struct dns_upstream_state *ret);
/* Questions without any reply or error from an upstream since when; 0: DNS works. For health (dns-forward-failing). */
mono_ns dns_failing_since(const struct dns *d);
/* Who would be asked for a name now (for `dns query`): copies up to max, returns how many there are; 0: answered here, or nobody. */
size_t dns_upstreams_for(
	const struct dns *d, const char *name, const struct dns_upstream **ret, size_t max);

#endif
