/*
 * core/coord: the coordination server's mind: who is in the tailnet, what each of them has been told, and what they must
 * be told next. No sockets and no database: requests come from the owner with the time, durable documents go to a
 * `struct coord_store_ops`, bodies of long polls are pulled.
 *
 * Rules that keep it fast: a change costs work in proportion to the nodes that it concerns; a peer's JSON and its compressed
 * form are made once per revision and shared by all readers (zstd frames one after another are one message); readers keep a
 * cursor into the order of changes, not a queue each. A change is durable before it is answered or told: answers and messages
 * are made at once, carry the number of the last batch that was promised to the store by then, and go out when that is durable.
 */
#ifndef WARREN_CORE_COORD_COORD_H
#define WARREN_CORE_COORD_COORD_H

#include "base/ledger/ledger.h"
#include "base/rng/rng.h"
#include "core/policy/policy.h"
#include "proto/tailcfg/tailcfg.h"

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
	COORD_OWN_PREFIXES_MAX = 1024,
	COORD_FORMER_KEYS_MAX =
		4, /* of one device, that no registration brings back; the oldest is forgotten */
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
#define COORD_PENDING_LIFE SEC(15 * 60)
#define COORD_EPHEMERAL_GRACE SEC(120)
#define COORD_OFFLINE_GRACE \
	SEC(5) /* a device that is back within it was never away: restarts and roaming tell nobody */
#define COORD_KEEP_ALIVE SEC(55)
/*
 * A system acknowledges what its program never reads, so a device is asked whether it lives (on_poll_ask). This seldom, because a
 * hundred thousand of them are: with every fourth keep-alive.
 */
#define COORD_ASK SEC(200)
#define COORD_ASK_SILENCE SEC(60)
/*
 * A device on which others depend is watched: an exit node, or one that carries a route for which another one stands by. It is
 * asked that often, whoever owns its connection is told to give up soon (on_poll_watch), and then the standby takes over after the
 * short grace.
 */
#define COORD_WATCH_KEEP_ALIVE SEC(3)
#define COORD_WATCH_SILENCE \
	SEC(6) /* unanswered for so long: the connection or the program is dead */
#define COORD_WATCH_GRACE SEC(2)
#define COORD_COALESCE MSEC(20) /* changes that come together are told together */

/* Numbers are stored: new ones go to the end. */
enum coord_kind {
	COORD_USER,
	COORD_NODE,
	COORD_KEY,
	COORD_META,
	COORD_SETTINGS,
	COORD_POLICY,
	COORD_N_KINDS,
	COORD_API_TOKEN =
		64, /* from here on: its owner's, in the same database and transactions; the engine does not look at them */
};

/*
 * The durable form: JSON documents by kind and number. What is put or deleted joins a batch, whose number is `batch`. commit says
 * that a turn is over: the batch may be written now, as a whole. It is durable later, when `durable` has come to its number; turns
 * that end while one batch is written share the next. Who waits compares numbers; nobody waits for a disk here.
 */
struct coord_store {
	const struct coord_store_ops *ops;
	/* Changed by the store, on its owner's thread, in commit or between two events. */
	uint64_t batch;   /* the one that is being filled; from 1 */
	uint64_t durable; /* all up to this one are on the disk */
	int failed;       /* negative: nothing after `durable` was written, and nothing will be */
	bool full;        /* so much waits that no further change should be begun */
	const char *
		refuses; /* the disk takes no changes: why, a line for who asks for one. NULL: it does */
	/* Changed by coord_store_put and coord_store_del. */
	uint64_t
		promised; /* the last one with a change of which nobody may hear before it is durable */
};
struct coord_store_ops {
	/* 0 or -ENOMEM. */
	int (*put)(struct coord_store *s, enum coord_kind kind, int64_t id, struct view doc);
	int (*del)(struct coord_store *s, enum coord_kind kind, int64_t id);
	/* What is durable; at start, before the first put. -ERR_STORE, or what fn returns below 0. */
	int (*load)(struct coord_store *s, enum coord_kind kind,
		int (*fn)(void *ctx, int64_t id, struct view doc), void *ctx);
	void (*commit)(struct coord_store *s);
};

/* A change that is answered or told to others only when it is durable. Others, which a crash may undo, use ops->put. */
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
	const char *hash; /* hex of SHA-256 of the secret; the secret itself is nowhere */
	const char *hint; /* its first characters, for people */
	bool reusable, ephemeral, preapproved, revoked;
	int64_t used;
	struct json_list tags;
	unix_ms created, expires;
};

extern const struct json_type coord_user_type, coord_node_doc_type, coord_key_type;

struct coord_event {
	const char *
		what; /* "device joined", "device is back", "device approved", "device left", ... */
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
	/* Where a request comes from, for the page that asks for approval. May be NULL. */
	struct ipport (*from)(void *request_owner);
	void (*on_event)(const struct coord_event *e); /* for the log. May be NULL */
	/* For the log: a registration, a request or a setting is refused. name: the device's, or what it calls itself. May be NULL. */
	void (*on_refusal)(const char *what, const char *name, const char *why);
	/* A long poll has something to say, or an answer is ready: pull or take it. */
	void (*on_poll_ready)(void *poll_owner);
	void (*on_poll_end)(void *poll_owner); /* superseded or its node is gone: finish the body */
	/* coord_is_member holds no longer for this key, or may not: it expired, its device has another one or is gone. May be NULL. */
	void (*on_key_out)(void *ctx, const struct node_pub *key);
	void *on_key_out_ctx;
	/* Others depend on this device: end its connection after COORD_WATCH_SILENCE without an answer, or as usual. May be NULL. */
	void (*on_poll_watch)(void *poll_owner, bool watch);
	/* 429 with Retry-After. NULL: all are taken. */
	void (*on_later)(void *request_owner, unsigned seconds, struct view text);
	/* Ask the other side's program whether it lives, and end its connection if it says nothing within that time. May be NULL. */
	void (*on_poll_ask)(void *poll_owner, mono_ns within);
	void (*on_answer)(
		void *request_owner, int status, const char *content_type, struct view body);
};

struct tailnet;
struct coord_poll;

/*
 * Labels of letters, digits and dashes, with dots between; at most COORD_BASE_DOMAIN_MAX characters. -ERR_BAD_VALUE: it is none, and why
 * says what is wrong with it and what to do, without naming an option.
 */
MUST_USE int coord_base_domain_check(const char *name, struct err_at *why);
/* Loads the world. at says which document was bad, or what of the configuration is. */
MUST_USE int coord_new(
	struct tailnet **ret, const struct coord_cfg *cfg, struct now now, struct err_at *at);
struct tailnet *coord_free(struct tailnet *c);
/* Has this machine a device whose key is good? Others are strangers, whatever they say. */
bool coord_machine_is_member(
	const struct tailnet *c, const struct machine_pub *machine, unix_ms wall);
/* Stays through renames and moves of the hub; clients key what they remember on it. */
const char *coord_tailnet_id(const struct tailnet *c);

/* POST /machine/register. Answered through on_answer, sooner or later; owner is opaque. */
void coord_register(struct tailnet *c, const struct machine_pub *machine, struct view body,
	void *owner, struct now now);
/* The request's stream is gone: no answer any more. */
void coord_register_cancel(struct tailnet *c, void *owner);
/*
 * POST /machine/map. 0 and *ret: a long poll began, or one map was asked for, and the body is pulled with coord_poll_fill; 1:
 * answered through on_answer.
 */
MUST_USE int coord_map(struct tailnet *c, const struct machine_pub *machine, struct view body,
	void *owner, struct now now, struct coord_poll **ret);
/* Appends some body bytes, if there are any now. */
void coord_poll_fill(struct coord_poll *p, struct buf *out);
void coord_poll_close(struct coord_poll *p, struct now now);

void coord_tick(struct tailnet *c, struct now now);
/* The store takes changes again: what the engine would have decided by itself meanwhile is decided now. */
MUST_USE int coord_store_back(struct tailnet *c, struct now now);
mono_ns coord_deadline(const struct tailnet *c);
/*
 * The end of a turn, also of one in which only the store has something new: commits, and lets go what waited for what is durable
 * now. Negative: the store failed; answers were errors, and the memory is ahead of the disk.
 */
MUST_USE int coord_turn_end(struct tailnet *c, struct now now);

/*
 * Administration. Texts are copied. Errors: -ENOENT, -EEXIST, -ERR_BAD_VALUE, ... -ERR_DENIED: a tag that the policy does not
 * define or, at the approval of a login, does not let this user give; or a device that COORD_OWN_REFUSE keeps out.
 */
/* Names are kept in lower case and without an @ at the end: "Bob" and "bob@" are "bob". */
MUST_USE int coord_user_create(
	struct tailnet *c, const char *name, struct now now, const struct coord_user **ret);
/* In any spelling. An older database may hold several: then only the exact name finds one. */
const struct coord_user *coord_user_find(const struct tailnet *c, const char *name);
const struct coord_user *coord_user_next(const struct tailnet *c, const struct coord_user *u);
MUST_USE int coord_user_rename(struct tailnet *c, int64_t id, const char *name, struct now now);
struct coord_belongings {
	size_t nodes, keys;
};
void coord_user_belongings(const struct tailnet *c, int64_t id, struct coord_belongings *ret);
/* What becomes of its devices and keys: heir's, or they go, too. Without an heir keys always go. */
struct coord_user_leaving {
	int64_t heir; /* 0: nobody */
	bool with_nodes;
};
/* -ERR_CONFLICT: devices belong to it and nothing is said of them; -ERR_BAD_VALUE: no such heir. */
MUST_USE int coord_user_delete(
	struct tailnet *c, int64_t id, const struct coord_user_leaving *how, struct now now);
struct coord_key_spec {
	int64_t user;
	bool reusable, ephemeral, preapproved;
	const char *const *tags;
	size_t n_tags;
	unix_ms expires;
};
/* The secret is in text, once. */
MUST_USE int coord_key_create(struct tailnet *c, const struct coord_key_spec *spec, struct now now,
	char text[static COORD_SECRET_TEXT_MAX], const struct coord_key **ret);
const struct coord_key *coord_key_next(const struct tailnet *c, const struct coord_key *k);
MUST_USE int coord_key_revoke(struct tailnet *c, int64_t id);
MUST_USE int coord_key_delete(struct tailnet *c, int64_t id); /* it is not even listed any more */
/* -ERR_BAD_VALUE: no such user; -ERR_CONFLICT: a key that gives tags is nobody's. */
MUST_USE int coord_key_move(struct tailnet *c, int64_t id, int64_t user);
/* Listing: the document with its online state. NULL ends. */
const struct coord_node_doc *coord_node_next(
	const struct tailnet *c, const struct coord_node_doc *n);
const struct coord_node_doc *coord_node_find(const struct tailnet *c, int64_t id);
const struct coord_node_doc *coord_node_named(const struct tailnet *c, const char *name);
MUST_USE int coord_node_delete(struct tailnet *c, int64_t id, struct now now);
/* The name stays then, whatever the device calls itself. NULL: it follows that again. */
MUST_USE int coord_node_rename(struct tailnet *c, int64_t id, const char *name, struct now now);
MUST_USE int coord_node_expire(struct tailnet *c, int64_t id, struct now now);
/* 0: never. Later than now: who had expired takes part again, without a login. */
MUST_USE int coord_node_expire_at(struct tailnet *c, int64_t id, unix_ms at, struct now now);
bool coord_node_expired(const struct coord_node_doc *d, unix_ms wall);
/* Does a device with this key take part now? Not if it has expired, waits for approval, is kept apart, or there is none. */
bool coord_is_member(const struct tailnet *c, const struct node_pub *key, unix_ms wall);
/* digest: of coord_node_grant, as it was shown. -ERR_CHANGED: it is another one now. */
MUST_USE int coord_node_approve(struct tailnet *c, int64_t id, const char *digest, struct now now);
/* Its tags from now on; it belongs to nobody then, and its key does not expire. At least one. */
MUST_USE int coord_node_tag(
	struct tailnet *c, int64_t id, const char *const *tags, size_t n_tags, struct now now);
/* It is this user's from now on, without tags. -ERR_BAD_VALUE: no such user. */
MUST_USE int coord_node_move(struct tailnet *c, int64_t id, int64_t user, struct now now);

/*
 * Policy. Without one, and with an empty one, everybody reaches everybody. A text that is refused leaves the running policy as it
 * is. Refusals: -ERR_BAD_VALUE or what policy_doc_parse returns with *at; COORD_POLICY_TESTS_FAILED; -ERR_TOO_BIG; -ERR_CONFLICT.
 */
enum { COORD_POLICY_TESTS_FAILED = 1, COORD_POLICY_ANY_VERSION = -1 };

struct coord_policy_version {
	int64_t id;         /* from 1, each one higher than the one before */
	const char *author; /* a user, a key, a Git commit: whatever the one who set it says */
	const char *hash;   /* hex of SHA-256 of the text, as it was given */
	unix_ms created;
	size_t size; /* of the text */
};

/* The running one. NULL: none was ever set. Good until the next coord_policy_set. */
const struct coord_policy_version *coord_policy_current(const struct tailnet *c);
/* All that are kept, the newest first. NULL begins and ends. */
const struct coord_policy_version *coord_policy_next(
	const struct tailnet *c, const struct coord_policy_version *v);
/* The text of a kept version, as it was given; borrowed until the next coord_policy_set. 0: the running one. -ENOENT. */
MUST_USE int coord_policy_text(const struct tailnet *c, int64_t id, struct view *ret);

/* Each failed test or sshTest is told. May be NULL. */
typedef void (*coord_policy_failure_fn)(void *ctx, const struct policy_failure *f);

/* Reads and compiles the text, runs its tests; stores nothing. */
MUST_USE int coord_policy_check(struct tailnet *c, struct view text, coord_policy_failure_fn fn,
	void *ctx, struct err_at *at);
/*
 * The same, and makes it the running one: a new version, durable with the commit of the turn. if_version: refuse with -ERR_CONFLICT
 * if another version runs (0: any version); or COORD_POLICY_ANY_VERSION. To go back to a version, set its text.
 */
MUST_USE int coord_policy_set(struct tailnet *c, struct view text, const char *author,
	int64_t if_version, struct now now, coord_policy_failure_fn fn, void *ctx,
	struct err_at *at);
/* What it would change, device by device; devices for which nothing changes are left out. Its tests are not run. */
MUST_USE int coord_policy_preview(struct tailnet *c, struct view text,
	void (*fn)(void *ctx, const struct policy_change *ch), void *ctx, struct err_at *at);
/*
 * May src reach dst? Each is an address, the name of a device, a tag (all devices with it) or a user (all of the user's without
 * tags). text: under this policy; NULL: under the running one. -ENOENT: no such thing, or it has no device; -ERR_TOO_MANY; *at says
 * which. Refusals of the text as above.
 */
struct coord_reach {
	size_t asked, allowed;  /* of all pairs of devices */
	struct policy_reach by; /* the rule that lets the first of these through */
	const char *denied_src,
		*denied_dst; /* the first pair of devices that may not, or NULL; good until something changes */
};
MUST_USE int coord_policy_can_reach(struct tailnet *c, const struct view *text, const char *src,
	const char *dst, int proto, uint16_t port, struct coord_reach *ret, struct err_at *at);
/* Which of this text's rules concern a user, or a port of an address? As policy_rules_about. Refusals of the text as above. */
MUST_USE int coord_policy_rules(struct tailnet *c, struct view text, int64_t user,
	struct ipaddr dst, uint16_t port, policy_rule_fn fn, void *ctx, struct err_at *at);
void coord_policy_stats(const struct tailnet *c, struct policy_stats *ret);

/* "member", "auditor", "billing-admin", "network-admin", "it-admin", "admin", "owner". -ENOENT, -ERR_BAD_VALUE. */
MUST_USE int coord_user_set_role(struct tailnet *c, int64_t id, const char *role, struct now now);

/* Routes: what devices offer to carry, and what of it is approved. In use is what is both. */
struct coord_route {
	int64_t node;
	struct ipprefix prefix;
	bool advertised, approved, in_use;
	bool primary;   /* carries it now; never of a default route */
	bool online;    /* the device */
	const char *by; /* who approved it; "": autoApprovers */
	unix_ms approved_at;
	const struct ipprefix *own; /* the organisation's own prefix that it overlaps, or NULL */
};
/* node 0: of all devices. fn's negative result ends the walk and is returned. -ENOENT. */
MUST_USE int coord_routes(const struct tailnet *c, int64_t node,
	int (*fn)(void *ctx, const struct coord_route *r), void *ctx);
/* Also in advance, before the device offers it. -ENOENT: no such device; -ERR_TOO_MANY. Approved already: 0. */
MUST_USE int coord_route_approve(
	struct tailnet *c, int64_t node, struct ipprefix prefix, const char *by, struct now now);
MUST_USE int coord_route_unapprove(
	struct tailnet *c, int64_t node, struct ipprefix prefix, struct now now); /* -ENOENT */

/*
 * Prefixes that belong to the organisation: nobody should offer a route into them by himself. A device is trusted with a route when
 * somebody or autoApprovers approved it; for others it depends on the switch.
 */
enum coord_own_switch {
	COORD_OWN_SHOW, /* listed as overlapping, no more */
	COORD_OWN_QUARANTINE, /* a device that offers one sees nobody, and nobody sees it, until it stops or is trusted */
	COORD_OWN_REFUSE, /* a new device that offers one is not let in; for one that is in, as quarantine */
};
struct coord_settings {
	struct json_list own_prefixes; /* struct ipprefix */
	int64_t own_switch;
};
const struct coord_settings *coord_settings(const struct tailnet *c);
/* -ERR_BAD_VALUE: a default route, or bits set behind the prefix; -ERR_TOO_MANY. */
MUST_USE int coord_own_prefixes_set(struct tailnet *c, const struct ipprefix *v, size_t n,
	enum coord_own_switch what, struct now now);
bool coord_node_quarantined(const struct tailnet *c, int64_t id);
/* Two devices run with its identity: they take the stream from each other. */
bool coord_node_duplicate(const struct tailnet *c, int64_t id);

/* A login that waits: who asks? */
struct coord_pending_view {
	const char *code; /* eight letters, a dash in their middle */
	const char *hostname, *os;
	struct json_list tags; /* const char *: what it wants to be; approval grants it */
	struct ipport from;
	unix_ms created;
};
/* The whole code, in any case, with or without the dash. */
bool coord_pending_find(const struct tailnet *c, const char *code, struct coord_pending_view *ret);
/* How many codes begin like this? ret is one of them, if any. */
size_t coord_pending_match(
	const struct tailnet *c, const char *beginning, struct coord_pending_view *ret);
bool coord_pending_next(const struct tailnet *c, const char *after, struct coord_pending_view *ret);
/* The login of a device that had this code before it asked for other things. */
bool coord_pending_successor(
	const struct tailnet *c, const char *code, struct coord_pending_view *ret);

/* All that an approval gives, for people to read, and its digest. In mem. */
struct coord_grant_line {
	const char *label, *value;
};
struct coord_grant {
	struct json_list lines; /* struct coord_grant_line */
	char digest[2 * COORD_DIGEST_LEN + 1];
};
/* As the device of this user. -ENOENT; -ERR_BAD_VALUE: no such user. */
MUST_USE int coord_pending_grant(struct tailnet *c, const char *code, int64_t user, struct now now,
	struct arena *mem, struct coord_grant *ret);
MUST_USE int coord_node_grant(struct tailnet *c, int64_t id, struct arena *mem,
	struct coord_grant *ret); /* of a device that waits. -ENOENT */
/*
 * *ret is the number of the device. digest: as it was shown. -ERR_CHANGED: it would give something else now; -ERR_EXPIRED: the device
 * was in meanwhile, and its key has expired.
 */
MUST_USE int coord_pending_approve(struct tailnet *c, const char *code, int64_t user,
	const char *digest, struct now now, int64_t *ret);
MUST_USE int coord_pending_reject(
	struct tailnet *c, const char *code); /* who waits is told. -ENOENT */

struct coord_stats {
	size_t nodes, online, users, keys, pending, polls, duplicates;
	uint64_t pending_evicted,
		pending_refused; /* logins that gave way to others; for which there was no room */
	uint64_t
		expired_asks; /* registrations and map requests with a key that is known as no longer good */
	uint64_t registrations, refused, settings_refused, bad_requests, maps, lite_updates,
		messages, commits, bytes_out, shed, waited, pools_full;
	size_t waiting; /* devices of which something is to be told later */
	uint64_t updates_held, paced_logins;
	uint64_t texts_cleaned, parts_left_out,
		unreadable; /* of what devices say of themselves; told.c */
};
void coord_stats(const struct tailnet *c, struct coord_stats *ret);

#endif
