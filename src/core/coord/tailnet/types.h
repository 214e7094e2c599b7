/*
 * core/coord/tailnet/types: what the coordination engine's owner and all of its folders share: documents as they are stored, the
 * contract of the store, the configuration, and the bounds.
 */
#ifndef WARREN_CORE_COORD_TAILNET_TYPES_H
#define WARREN_CORE_COORD_TAILNET_TYPES_H

#include "base/ledger/ledger.h"
#include "base/rng/rng.h"
#include "core/policy/policy.h"
#include "proto/tailcfg/tailcfg.h"

struct tailnet;
struct coord_node;
enum {
	COORD_NODES_MAX = 200000,
	COORD_ONCE_MAX = 4, /* single maps that a device has asked for and not read */
	/* Of logins that wait for approval: all of strangers together, what one counts for at least, and what it may hold. */
	COORD_PENDING_BYTES_MAX = 16 << 20,
	COORD_PENDING_SHARE = 8 << 10,
	COORD_PENDING_REQUEST_MAX = 256 << 10,
	COORD_DIGEST_LEN = 16,
	COORD_SECRET_TEXT_MAX = 96,
	COORD_BASE_DOMAIN_MAX = 253 - 64, /* so that a device's name before it is a name still */
	COORD_CAP_MIN = 87,               /* the oldest client release that is served: 1.60 */
	COORD_CAP_CERT_PIN =
		116, /* 1.84 pins a relay's certificate by its hash; 1.80 fails at such a name */
	COORD_CAP_MAP_CACHE = 135, /* keeps its map on disk only if it is told to */
	COORD_POLICY_TEXT_MAX = 2 << 20,
	COORD_POLICY_VERSIONS_MAX = 100, /* kept; the oldest goes */
	COORD_POLICY_KEEP_MAX =
		16 << 20, /* bytes of all kept texts; the running one stays, whatever its size */
	COORD_ROUTES_MAX = TC_ADVERTISED_MAX, /* of one device; more are refused */
	COORD_PROTECTED_PREFIXES_MAX = 1024,
	COORD_FORMER_KEYS_MAX =
		4, /* of one device, that no registration brings back; the oldest is forgotten */
};

/* Of the DNS settings, which every device is told: all together are a few hundred kilobytes at most. */
enum {
	COORD_DNS_RESOLVERS_MAX = 16, /* of all names, or of one suffix */
	COORD_DNS_BOOTSTRAP_MAX = 8,  /* addresses of one resolver */
	COORD_DNS_SPLITS_MAX = 128,
	COORD_DNS_SEARCH_MAX = 32,
	COORD_DNS_RECORDS_MAX = 2048,
	COORD_DNS_URL_MAX = 255,
};

enum {
	COORD_ACCEPT_BURST = 2, /* seconds of it at once */
	COORD_ACCEPT_RESERVE =
		4, /* of the burst one part in so many is for sources that ask seldom: */
	COORD_SOURCE_BURST = 32,     /* so often at once, */
	COORD_SOURCE_PER_SECOND = 8, /* and a second */
	COORD_RETRY_MAX =
		300, /* seconds that a client is told to wait at most: more it would not believe */
};

/*
 * What one device may change of itself, at once and after it. What comes faster is kept, only the latest of it, and told and saved when
 * its time has come; a registration is told when to come again. Half a minute's moves from network to network are within the burst.
 */
enum {
	COORD_CHANGE_BURST = 20,     /* changes at once */
	COORD_TOLD_BURST = 64 << 10, /* bytes at once that each reader is told of it */
	COORD_TOLD_RATE = 1 << 10,   /* and a second, on average */
	COORD_FANOUT_RATE = 1 << 20, /* of all readers together, a second; but at least */
	COORD_TOLD_RATE_MIN = 64,
	COORD_TOLD_MEAN = 1 << 10, /* bytes that a registration counts for */
};

#define COORD_CHANGE_EVERY SEC(2)

enum { COORD_BCRYPT_BURST = 8 };

#define COORD_BCRYPT_EVERY SEC(2)

#define COORD_PENDING_LIFE SEC(15 * 60)

#define COORD_EPHEMERAL_GRACE SEC(120)

#define COORD_OFFLINE_GRACE \
	SEC(5) /* a device that is back within it was never away: restarts and roaming tell nobody */
#define COORD_KEEP_ALIVE SEC(55)

/*
 * A system acknowledges what its program never reads, so a device is asked whether it lives (on_map_ask). This seldom, because a
 * hundred thousand of them are: with every fourth keep-alive.
 */
#define COORD_ASK SEC(200)

#define COORD_ASK_SILENCE SEC(60)

/*
 * A device on which others depend is watched: an exit node, or one that carries a route for which another one stands by. It is
 * asked that often, whoever owns its connection is told to give up soon (on_map_watch), and then the standby takes over after the
 * short grace.
 */
#define COORD_WATCH_KEEP_ALIVE SEC(3)

#define COORD_WATCH_SILENCE \
	SEC(6) /* unanswered for so long: the connection or the program is dead */
#define COORD_WATCH_GRACE SEC(2)

/* After a start whoever carried a route counts as its router for so long, so that it is again when it is back. */
#define COORD_RETURN_GRACE SEC(30)
#define COORD_COALESCE MSEC(20) /* changes that come together are told together */

/*
 * Policy. Without one, and with an empty one, everybody reaches everybody. A text that is refused leaves the running policy as it
 * is. Refusals: -ERR_BAD_VALUE or what policy_doc_parse returns with *at; COORD_POLICY_TESTS_FAILED; -ERR_TOO_BIG; -ERR_CONFLICT.
 */
enum { COORD_POLICY_TESTS_FAILED = 1, COORD_POLICY_ANY_VERSION = -1 };

/* Numbers are stored: new ones go to the end. */
enum coord_kind {
	COORD_USER,
	COORD_NODE,
	COORD_KEY,
	COORD_META,
	COORD_SETTINGS,
	COORD_POLICY,
	COORD_DNS,
	COORD_N_KINDS,
	COORD_API_TOKEN =
		64, /* from here on: its owner's, in the same database and transactions; the engine does not look at them */
	COORD_AUDIT,
};

/* What others have changed, as far as the store knows. */
enum coord_foreign {
	COORD_FOREIGN_NONE,
	COORD_FOREIGN_SOME, /* changes gives it */
	COORD_FOREIGN_ALL, /* so much that it is not known what: what is on the disk is to be loaded anew */
};

/*
 * The durable form: JSON documents by tailnet, kind and number. A store is of one tailnet: it reads and writes the documents of no
 * other, and one database may have many. What is put or deleted joins a batch, whose number is `batch`. commit says
 * that a turn is over: the batch may be written now, as a whole. It is durable later, when `durable` has come to its number; turns
 * that end while one batch is written share the next. Who waits compares numbers; nobody waits for a disk here.
 *
 * Others may write the same tailnet: another process, another handle. The store finds that out by itself, and sets `foreign`;
 * what its owner wrote is not. If both changed a document, then the owner's promise counts and the other's change is lost;
 * a change without a promise gives way to the other's.
 */
struct coord_store {
	const struct coord_store_ops *ops;
	int64_t tailnet; /* whose documents; from 1 */
	/* Changed by the store, on its owner's thread, in commit or between two events. */
	uint64_t batch;   /* the one that is being filled; from 1 */
	uint64_t durable; /* all up to this one are on the disk */
	int failed;       /* negative: nothing after `durable` was written, and nothing will be */
	bool full;        /* so much waits that no further change should be begun */
	const char *
		refuses; /* the disk takes no changes: why, a line for who asks for one. NULL: it does */
	enum coord_foreign foreign;
	/* Set by the owner: told of each promised change before it is made. May be NULL. */
	void (*on_change)(void *ctx, enum coord_kind kind, int64_t id, const struct view *doc);
	void *on_change_ctx;
	/* Changed by coord_store_put and coord_store_del. */
	uint64_t
		promised; /* the last one with a change of which nobody may hear before it is durable */
};

struct coord_store_ops {
	/* doc NULL: deletes. 0 or -ENOMEM. For coord_store_put, _del and _note. */
	int (*change)(struct coord_store *s, enum coord_kind kind, int64_t id,
		const struct view *doc, bool promised);
	/* What is durable; before the first put. -ERR_STORE, or what fn returns below 0. */
	int (*load)(struct coord_store *s, enum coord_kind kind,
		int (*fn)(void *ctx, int64_t id, struct view doc), void *ctx);
	void (*commit)(struct coord_store *s);
	/*
	 * What others changed, and then it is told: each document once, as it is now; doc NULL: it was deleted. 0, or what fn returns below 0: it
	 * is not called again, and `foreign` is COORD_FOREIGN_ALL.
	 */
	int (*changes)(struct coord_store *s,
		int (*fn)(void *ctx, enum coord_kind kind, int64_t id, const struct view *doc),
		void *ctx);
	/* One document as it is now, changes that wait included; appended. -ENOENT, -ERR_STORE, -ENOMEM, -ERR_TOO_BIG. */
	int (*read)(struct coord_store *s, enum coord_kind kind, int64_t id, struct buf *out);
	/* What is durable of a kind: up from the first number above `from`, or down from the first below it, until fn returns other than 0. */
	int (*list)(struct coord_store *s, enum coord_kind kind, int64_t from, bool down,
		int (*fn)(void *ctx, int64_t id, struct view doc), void *ctx);
};

/* A change that a crash may undo, and that gives way to what another process wrote. */
MUST_USE int coord_store_note(
	struct coord_store *s, enum coord_kind kind, int64_t id, struct view doc);
/* A change that is answered or told to others only when it is durable. */
MUST_USE int coord_store_put(
	struct coord_store *s, enum coord_kind kind, int64_t id, struct view doc);
MUST_USE int coord_store_del(struct coord_store *s, enum coord_kind kind, int64_t id);
/* Why no change may be begun now, a line for who asks for one; NULL: it may. What needs no change is served as ever. */
const char *coord_store_refusal(const struct coord_store *s);
/* Is all durable that was promised so far? */
static inline bool coord_store_settled(const struct coord_store *s)
{
	return s->promised <= s->durable;
}

/* Documents as they are stored, and as the administration lists them. */
struct coord_user {
	int64_t id;
	const char *name, *display_name;
	const char *role; /* as policies name it: "admin"; empty: a member */
	unix_ms created;
};

/* A route that the device may offer, whether it does or not. */
struct coord_route_approval {
	struct ipprefix prefix;
	const char *by; /* who said so; "" or NULL: autoApprovers */
	unix_ms at;
	bool primary; /* the device carries it now, of all that may: the same after a restart */
};

struct coord_node_doc {
	int64_t id, user, cap, home_derp;
	struct machine_pub machine;
	struct node_pub key;
	struct disco_pub disco;
	const char *name, *hostname;
	struct ipaddr ip4, ip6;
	struct json_list tags;      /* const char * */
	struct json_list endpoints; /* struct ipport */
	struct json_list routes;    /* struct coord_route_approval */
	struct tc_hostinfo *hostinfo;
	unix_ms created, key_expiry, last_seen;
	bool ephemeral;
	uint8_t name_pinned; /* JSON_YES: given by an administrator; else it follows what the device calls itself */
	bool unapproved; /* waits for an admin: nobody sees it, and it sees nobody */
	/*
	 * Its key has expired: it is told of itself only. Kept beside key_expiry, so that a clock that is set back revives nothing; an
	 * admin's word or a login with a fresh key ends it.
	 */
	bool key_expired;
	struct json_list
		former_keys; /* struct node_pub, the newest last: whoever comes with one has to bring a fresh one */
	uint8_t online; /* only in listings */
};

struct coord_key {
	int64_t id, user;
	const char *hash; /* hex of SHA-256 of the text; the text itself is nowhere */
	/*
	 * Of a key that headscale made and nobody has used here: its hash of the secret, the last 64 characters of
	 * "hskey-auth-PREFIX-SECRET". hash is of "hskey-auth-PREFIX" then. NULL: the key is one of ours.
	 */
	const char *bcrypt;
	const char *hint; /* its first characters, for people */
	bool reusable, ephemeral, preapproved, revoked;
	int64_t used;
	struct json_list tags;
	unix_ms created, expires;
};

extern const struct json_type coord_user_type, coord_node_doc_type, coord_key_type;
/* What happened to a device. Words for it are the owner's. */
enum coord_event_type {
	COORD_DEVICE_JOINED,
	COORD_DEVICE_BACK, /* it logged in again */
	COORD_DEVICE_APPROVED,
	COORD_DEVICE_LEFT,
	COORD_DEVICE_QUARANTINED,
	COORD_DEVICE_RELEASED,   /* from quarantine */
	COORD_DEVICE_DUPLICATED, /* two processes have its identity */
	COORD_DEVICE_SINGLE,     /* one of them again */
	COORD_KEY_EXPIRED,
};
struct coord_event {
	enum coord_event_type type;
	const struct coord_node_doc *node;
	const struct coord_user *owner; /* NULL: it has tags */
	const struct coord_key *key;    /* that it came with, or NULL */
};

struct coord_cfg {
	const char *url; /* without a slash at the end; borrowed */
	const char
		*base_domain; /* of names: NAME.base_domain; as coord_base_domain_check wants it */
	const struct tc_derp_map *derp_map; /* borrowed, may be NULL */
	const struct tc_derp_map
		*derp_map_unpinned; /* for clients that cannot pin a certificate; NULL: the same */
	struct coord_store *store;
	struct rng *rng;
	struct ledger *ledger; /* of the process: logins that wait are charged to it. May be NULL */
	const char *const *
		login_domains; /* of the organisation's users, for policies that name all users of a domain; borrowed */
	size_t n_login_domains;
	bool approve_devices; /* who joins with a key that is not pre-approved has to wait for an admin */
	int64_t key_life_ms; /* of a person's devices, from their login; 0: for ever */
	/*
	 * So many registrations and so many first maps a second, after a burst; the others are told when to come again (on_later), each
	 * its own time, so that they do not come together once more. 0: all are taken.
	 */
	int accept_rate;
	void (*hash)(const void *p, size_t n, uint8_t out[static 32]); /* SHA-256 */
	/* Slow: COORD_BCRYPT_BURST times at most, then one each COORD_BCRYPT_EVERY. NULL: no such key is good. */
	bool (*bcrypt_holds)(struct view secret, const char *hash);
	/* Where a request comes from, for the page that asks for approval. May be NULL. */
	struct ipport (*from)(void *request_owner);
	void (*on_event)(const struct coord_event *e); /* for the log. May be NULL */
	/* For the log: a registration, a request or a setting is refused. name: the device's, or what it calls itself. May be NULL. */
	void (*on_refusal)(const char *what, const char *name, const char *why);
	/* A long poll has something to say, or an answer is ready: pull or take it. */
	void (*on_map_ready)(void *owner);
	void (*on_map_end)(void *owner); /* superseded or its node is gone: finish the body */
	/* coord_is_member holds no longer for this key, or may not: it expired, its device has another one or is gone. May be NULL. */
	void (*on_key_out)(void *ctx, const struct node_pub *key);
	void *on_key_out_ctx;
	/* Others depend on this device: end its connection after COORD_WATCH_SILENCE without an answer, or as usual. May be NULL. */
	void (*on_map_watch)(void *owner, bool watch);
	/* 429 with Retry-After. NULL: all are taken. */
	void (*on_later)(void *request_owner, unsigned seconds, struct view text);
	/* Ask the other side's program whether it lives, and end its connection if it says nothing within that time. May be NULL. */
	void (*on_map_ask)(void *owner, mono_ns within);
	void (*on_answer)(
		void *request_owner, int status, const char *content_type, struct view body);
};

struct coord_policy_version {
	int64_t id;         /* from 1, each one higher than the one before */
	const char *author; /* a user, a key, a Git commit: whatever the one who set it says */
	const char *hash;   /* hex of SHA-256 of the text, as it was given */
	unix_ms created;
	size_t size; /* of the text */
};

/*
 * Prefixes that belong to the organisation: nobody should offer a route into them by himself. A device is trusted with a route when
 * somebody or autoApprovers approved it; for others it depends on the switch.
 */
enum coord_protected_switch {
	COORD_PROTECTED_SHOW, /* listed as overlapping, no more */
	COORD_PROTECTED_QUARANTINE, /* a device that offers one sees nobody, and nobody sees it, until it stops or is trusted */
	COORD_PROTECTED_REFUSE, /* a new device that offers one is not let in; for one that is in, as quarantine */
};

struct coord_settings {
	struct json_list protected_prefixes; /* struct ipprefix */
	int64_t protected_switch;
};

/* Resolvers of the names at and below a suffix. None: such names are answered from records and devices only. */
struct coord_dns_split {
	const char *suffix;
	struct json_list resolvers; /* struct tc_resolver */
};

/*
 * How devices resolve names. All zero is what a tailnet begins with: names of devices are resolved, and nothing else is another thing
 * than before. Names are in lower case and without a dot at the end.
 */
struct coord_dns {
	struct json_list resolvers; /* struct tc_resolver: of all names */
	struct json_list splits;    /* struct coord_dns_split */
	struct json_list search;    /* const char *: behind the base domain, which is first */
	struct json_list records;   /* struct tc_dns_record: A and AAAA */
	bool magic_off;             /* short names of devices are not resolved */
	bool override_off; /* a device's own resolvers go before the global ones where it has some */
	bool wildcard;     /* each name below a device's name is that device */
	bool certificates; /* each device is told that it may have a certificate for its name */
};

struct coord_stats {
	size_t nodes, online, users, keys, pending, map_sessions, duplicates;
	uint64_t pending_evicted,
		pending_refused; /* logins that gave way to others; for which there was no room */
	uint64_t
		expired_asks; /* registrations and map requests with a key that is known as no longer good */
	uint64_t registrations, refused, settings_refused, bad_requests, maps, lite_updates,
		messages, commits, bytes_out, shed, waited, pools_full;
	uint64_t changes; /* of devices, as far as others are told of them: a number that goes up */
	size_t waiting;   /* devices of which something is to be told later */
	uint64_t updates_held, paced_logins;
	uint64_t texts_cleaned, parts_left_out,
		unreadable; /* of what devices say of themselves; intake/clean.c */
};

/* Look-ups. */
/*
 * Labels of letters, digits and dashes, with dots between; at most COORD_BASE_DOMAIN_MAX characters. -ERR_BAD_VALUE: it is none, and why
 * says what is wrong with it and what to do, without naming an option.
 */
MUST_USE int coord_base_domain_check(const char *name, struct err_at *why);
/* Has this machine a device whose key is good? Others are strangers, whatever they say. */
bool coord_machine_is_member(
	const struct tailnet *c, const struct machine_pub *machine, unix_ms wall);
/* Does a device with this key take part now? Not if it has expired, waits for approval, is kept apart, or there is none. */
bool coord_is_member(const struct tailnet *c, const struct node_pub *key, unix_ms wall);
bool coord_node_expired(const struct coord_node_doc *d, unix_ms wall);
/* Listing: the document with its online state, the one that changed last at the end. NULL ends. */
const struct coord_node_doc *coord_node_next(
	const struct tailnet *c, const struct coord_node_doc *n);
/* The other way round: the one that changed last first. */
const struct coord_node_doc *coord_node_before(
	const struct tailnet *c, const struct coord_node_doc *n);
/* The number of its last change that others are told of (coord_stats.changes was that then). */
uint64_t coord_node_changed(const struct coord_node_doc *d);
const struct coord_node_doc *coord_node_find(const struct tailnet *c, int64_t id);
const struct coord_node_doc *coord_node_named(const struct tailnet *c, const char *name);
/* In any spelling. An older database may hold several: then only the exact name finds one. */
const struct coord_user *coord_user_find(const struct tailnet *c, const char *name);
const struct coord_user *coord_user_by_id(const struct tailnet *c, int64_t id);
const struct coord_user *coord_user_next(const struct tailnet *c, const struct coord_user *u);
const struct coord_key *coord_key_next(const struct tailnet *c, const struct coord_key *k);
MUST_USE int coord_key_revoke(struct tailnet *c, int64_t id);
MUST_USE int coord_key_delete(struct tailnet *c, int64_t id); /* it is not even listed any more */
/* -ERR_BAD_VALUE: no such user; -ERR_CONFLICT: a key that gives tags is nobody's. */
MUST_USE int coord_key_move(struct tailnet *c, int64_t id, int64_t user);

#endif
