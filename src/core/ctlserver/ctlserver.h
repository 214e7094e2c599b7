/*
 * core/ctlserver: the coordination server's mind: who is in the tailnet, what each of them has been told, and what they must
 * be told next. No sockets and no database: requests come from the owner with the time, durable documents go to a
 * `struct ctl_store_ops`, bodies of long polls are pulled.
 *
 * Rules that keep it fast: a change costs work in proportion to the nodes that it concerns; a peer's JSON and its compressed
 * form are made once per revision and shared by all readers (zstd frames one after another are one message); readers keep a
 * cursor into the order of changes, not a queue each. A change is durable before it is answered or told: answers and messages
 * are made at once, carry the number of the last batch that was promised to the store by then, and go out when that is durable.
 */
#ifndef WARREN_CORE_CTLSERVER_CTLSERVER_H
#define WARREN_CORE_CTLSERVER_CTLSERVER_H

#include "base/ledger/ledger.h"
#include "base/rng/rng.h"
#include "core/policy/policy.h"
#include "proto/tailcfg/tailcfg.h"

enum {
	CTL_NODES_MAX = 200000,
	CTL_ONCE_MAX = 4, /* single maps that a device has asked for and not read */
	/* Of logins that wait for approval: all of strangers together, what one counts for at least, and what it may hold. */
	CTL_PENDING_BYTES_MAX = 16 << 20,
	CTL_PENDING_SHARE = 8 << 10,
	CTL_PENDING_REQUEST_MAX = 256 << 10,
	CTL_DIGEST_LEN = 16,
	CTL_SECRET_TEXT_MAX = 96,
	CTL_CAP_MIN = 87, /* the oldest client release that is served: 1.60 */
	CTL_CAP_CERT_PIN = 116, /* 1.84 pins a relay's certificate by its hash; 1.80 fails at such a name */
	CTL_CAP_MAP_CACHE = 135, /* keeps its map on disk only if it is told to */
	CTL_POLICY_TEXT_MAX = 2 << 20,
	CTL_POLICY_VERSIONS_MAX = 100, /* kept; the oldest goes */
	CTL_POLICY_KEEP_MAX = 16 << 20, /* bytes of all kept texts; the running one stays, whatever its size */
	CTL_ROUTES_MAX = TC_ADVERTISED_MAX, /* of one device; more are refused */
	CTL_OWN_PREFIXES_MAX = 1024,
	CTL_FORMER_KEYS_MAX = 4, /* of one device, that no registration brings back; the oldest is forgotten */
};
enum {
	CTL_ACCEPT_BURST = 2, /* seconds of it at once */
	CTL_ACCEPT_RESERVE = 4, /* of the burst one part in so many is for sources that ask seldom: */
	CTL_SOURCE_BURST = 32, /* so often at once, */
	CTL_SOURCE_PER_SECOND = 8, /* and a second */
	CTL_RETRY_MAX = 300, /* seconds that a client is told to wait at most: more it would not believe */
};
/*
 * What one device may change of itself, at once and after it. What comes faster is kept, only the latest of it, and told and saved when
 * its time has come; a registration is told when to come again. Half a minute's moves from network to network are within the burst.
 */
enum {
	CTL_CHANGE_BURST = 20, /* changes at once */
	CTL_TOLD_BURST = 64 << 10, /* bytes at once that each reader is told of it */
	CTL_TOLD_RATE = 1 << 10, /* and a second, on average */
	CTL_FANOUT_RATE = 1 << 20, /* of all readers together, a second; but at least */
	CTL_TOLD_RATE_MIN = 64,
	CTL_TOLD_MEAN = 1 << 10, /* bytes that a registration counts for */
};
#define CTL_CHANGE_EVERY SEC(2)
#define CTL_PENDING_LIFE SEC(15 * 60)
#define CTL_EPHEMERAL_GRACE SEC(120)
#define CTL_OFFLINE_GRACE SEC(5) /* a device that is back within it was never away: restarts and roaming tell nobody */
#define CTL_KEEP_ALIVE SEC(55)
/*
 * A system acknowledges what its program never reads, so a device is asked whether it lives (on_poll_ask). This seldom, because a
 * hundred thousand of them are: with every fourth keep-alive.
 */
#define CTL_ASK SEC(200)
#define CTL_ASK_SILENCE SEC(60)
/*
 * A device on which others depend is watched: an exit node, or one that carries a route for which another one stands by. It is
 * asked that often, whoever owns its connection is told to give up soon (on_poll_watch), and then the standby takes over after the
 * short grace.
 */
#define CTL_WATCH_KEEP_ALIVE SEC(3)
#define CTL_WATCH_SILENCE SEC(6) /* unanswered for so long: the connection or the program is dead */
#define CTL_WATCH_GRACE SEC(2)
#define CTL_COALESCE MSEC(20) /* changes that come together are told together */

/* Numbers are stored: new ones go to the end. */
enum ctl_kind { CTL_USER, CTL_NODE, CTL_KEY, CTL_META, CTL_SETTINGS, CTL_POLICY, CTL_N_KINDS,
	CTL_API_TOKEN = 64, /* from here on: its owner's, in the same database and transactions; the engine does not look at them */
};

/*
 * The durable form: JSON documents by kind and number. What is put or deleted joins a batch, whose number is `batch`. commit says
 * that a turn is over: the batch may be written now, as a whole. It is durable later, when `durable` has come to its number; turns
 * that end while one batch is written share the next. Who waits compares numbers; nobody waits for a disk here.
 */
struct ctl_store {
	const struct ctl_store_ops *ops;
	/* Changed by the store, on its owner's thread, in commit or between two events. */
	uint64_t batch; /* the one that is being filled; from 1 */
	uint64_t durable; /* all up to this one are on the disk */
	int failed; /* negative: nothing after `durable` was written, and nothing will be */
	bool full; /* so much waits that no further change should be begun */
	const char *refuses; /* the disk takes no changes: why, a line for who asks for one. NULL: it does */
	/* Changed by ctl_store_put and ctl_store_del. */
	uint64_t promised; /* the last one with a change of which nobody may hear before it is durable */
};
struct ctl_store_ops {
	/* 0 or -ENOMEM. */
	int (*put)(struct ctl_store *s, enum ctl_kind kind, int64_t id, struct view doc);
	int (*del)(struct ctl_store *s, enum ctl_kind kind, int64_t id);
	/* What is durable; at start, before the first put. -ERR_STORE, or what fn returns below 0. */
	int (*load)(struct ctl_store *s, enum ctl_kind kind, int (*fn)(void *ctx, int64_t id, struct view doc), void *ctx);
	void (*commit)(struct ctl_store *s);
};

/* A change that is answered or told to others only when it is durable. Others, which a crash may undo, use ops->put. */
MUST_USE int ctl_store_put(struct ctl_store *s, enum ctl_kind kind, int64_t id, struct view doc);
MUST_USE int ctl_store_del(struct ctl_store *s, enum ctl_kind kind, int64_t id);
/* Why no change may be begun now, a line for who asks for one; NULL: it may. What needs no change is served as ever. */
const char *ctl_store_refusal(const struct ctl_store *s);
/* Is all durable that was promised so far? */
static inline bool ctl_store_settled(const struct ctl_store *s)
{
	return s->promised <= s->durable;
}

/* Documents as they are stored, and as the administration lists them. */
struct ctl_user {
	int64_t id;
	const char *name, *display_name;
	const char *role; /* as policies name it: "admin"; empty: a member */
	unix_ms created;
};

/* A route that the device may offer, whether it does or not. */
struct ctl_route_approval {
	struct ipprefix prefix;
	const char *by; /* who said so; "" or NULL: autoApprovers */
	unix_ms at;
};

struct ctl_node_doc {
	int64_t id, user, cap, home_derp;
	struct machine_pub machine;
	struct node_pub key;
	struct disco_pub disco;
	const char *name, *hostname;
	struct ipaddr ip4, ip6;
	struct json_list tags; /* const char * */
	struct json_list endpoints; /* struct ipport */
	struct json_list routes; /* struct ctl_route_approval */
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
	struct json_list former_keys; /* struct node_pub, the newest last: whoever comes with one has to bring a fresh one */
	uint8_t online; /* only in listings */
};

struct ctl_key {
	int64_t id, user;
	const char *hash; /* hex of SHA-256 of the secret; the secret itself is nowhere */
	const char *hint; /* its first characters, for people */
	bool reusable, ephemeral, preapproved, revoked;
	int64_t used;
	struct json_list tags;
	unix_ms created, expires;
};

extern const struct json_type ctl_user_type, ctl_node_doc_type, ctl_key_type;

struct ctl_event {
	const char *what; /* "device joined", "device is back", "device approved", "device left", ... */
	const struct ctl_node_doc *node;
	const struct ctl_user *owner; /* NULL: it has tags */
	const struct ctl_key *key; /* that it came with, or NULL */
};

struct ctl_cfg {
	const char *url; /* without a slash at the end; borrowed */
	const char *base_domain; /* of names: NAME.base_domain */
	const struct tc_derp_map *derp_map; /* borrowed, may be NULL */
	const struct tc_derp_map *derp_map_unpinned; /* for clients that cannot pin a certificate; NULL: the same */
	struct ctl_store *store;
	struct rng *rng;
	struct ledger *ledger; /* of the process: logins that wait are charged to it. May be NULL */
	const char *const *login_domains; /* of the organisation's users, for policies that name all users of a domain; borrowed */
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
	void (*on_event)(const struct ctl_event *e); /* for the log. May be NULL */
	/* For the log: a registration, a request or a setting is refused. name: the device's, or what it calls itself. May be NULL. */
	void (*on_refusal)(const char *what, const char *name, const char *why);
	/* A long poll has something to say, or an answer is ready: pull or take it. */
	void (*on_poll_ready)(void *poll_owner);
	void (*on_poll_end)(void *poll_owner); /* superseded or its node is gone: finish the body */
	/* ctl_is_member holds no longer for this key, or may not: it expired, its device has another one or is gone. May be NULL. */
	void (*on_key_out)(void *ctx, const struct node_pub *key);
	void *on_key_out_ctx;
	/* Others depend on this device: end its connection after CTL_WATCH_SILENCE without an answer, or as usual. May be NULL. */
	void (*on_poll_watch)(void *poll_owner, bool watch);
	/* 429 with Retry-After. NULL: all are taken. */
	void (*on_later)(void *request_owner, unsigned seconds, struct view text);
	/* Ask the other side's program whether it lives, and end its connection if it says nothing within that time. May be NULL. */
	void (*on_poll_ask)(void *poll_owner, mono_ns within);
	void (*on_answer)(void *request_owner, int status, const char *content_type, struct view body);
};

struct ctl;
struct ctl_poll;

/* Loads the world. at says which document was bad. */
MUST_USE int ctl_new(struct ctl **ret, const struct ctl_cfg *cfg, struct now now, struct err_at *at);
struct ctl *ctl_free(struct ctl *c);
/* Has this machine a device whose key is good? Others are strangers, whatever they say. */
bool ctl_machine_is_member(const struct ctl *c, const struct machine_pub *machine, unix_ms wall);
/* Stays through renames and moves of the hub; clients key what they remember on it. */
const char *ctl_tailnet_id(const struct ctl *c);

/* POST /machine/register. Answered through on_answer, sooner or later; owner is opaque. */
void ctl_register(struct ctl *c, const struct machine_pub *machine, struct view body, void *owner, struct now now);
/* The request's stream is gone: no answer any more. */
void ctl_register_cancel(struct ctl *c, void *owner);
/*
 * POST /machine/map. 0 and *ret: a long poll began, or one map was asked for, and the body is pulled with ctl_poll_fill; 1:
 * answered through on_answer.
 */
MUST_USE int ctl_map(struct ctl *c, const struct machine_pub *machine, struct view body, void *owner, struct now now,
	struct ctl_poll **ret);
/* Appends some body bytes, if there are any now. */
void ctl_poll_fill(struct ctl_poll *p, struct buf *out);
void ctl_poll_close(struct ctl_poll *p, struct now now);

void ctl_tick(struct ctl *c, struct now now);
/* The store takes changes again: what the engine would have decided by itself meanwhile is decided now. */
MUST_USE int ctl_store_back(struct ctl *c, struct now now);
mono_ns ctl_deadline(const struct ctl *c);
/*
 * The end of a turn, also of one in which only the store has something new: commits, and lets go what waited for what is durable
 * now. Negative: the store failed; answers were errors, and the memory is ahead of the disk.
 */
MUST_USE int ctl_turn_end(struct ctl *c, struct now now);

/*
 * Administration. Texts are copied. Errors: -ENOENT, -EEXIST, -ERR_BAD_VALUE, ... -ERR_DENIED: a tag that the policy does not
 * define or, at the approval of a login, does not let this user give; or a device that CTL_OWN_REFUSE keeps out.
 */
/* Names are kept in lower case and without an @ at the end: "Bob" and "bob@" are "bob". */
MUST_USE int ctl_user_create(struct ctl *c, const char *name, struct now now, const struct ctl_user **ret);
/* In any spelling. An older database may hold several: then only the exact name finds one. */
const struct ctl_user *ctl_user_find(const struct ctl *c, const char *name);
const struct ctl_user *ctl_user_next(const struct ctl *c, const struct ctl_user *u);
MUST_USE int ctl_user_rename(struct ctl *c, int64_t id, const char *name, struct now now);
struct ctl_belongings {
	size_t nodes, keys;
};
void ctl_user_belongings(const struct ctl *c, int64_t id, struct ctl_belongings *ret);
/* What becomes of its devices and keys: heir's, or they go, too. Without an heir keys always go. */
struct ctl_user_leaving {
	int64_t heir; /* 0: nobody */
	bool with_nodes;
};
/* -ERR_CONFLICT: devices belong to it and nothing is said of them; -ERR_BAD_VALUE: no such heir. */
MUST_USE int ctl_user_delete(struct ctl *c, int64_t id, const struct ctl_user_leaving *how, struct now now);
struct ctl_key_spec {
	int64_t user;
	bool reusable, ephemeral, preapproved;
	const char *const *tags;
	size_t n_tags;
	unix_ms expires;
};
/* The secret is in text, once. */
MUST_USE int ctl_key_create(struct ctl *c, const struct ctl_key_spec *spec, struct now now,
	char text[static CTL_SECRET_TEXT_MAX], const struct ctl_key **ret);
const struct ctl_key *ctl_key_next(const struct ctl *c, const struct ctl_key *k);
MUST_USE int ctl_key_revoke(struct ctl *c, int64_t id);
MUST_USE int ctl_key_delete(struct ctl *c, int64_t id); /* it is not even listed any more */
/* -ERR_BAD_VALUE: no such user; -ERR_CONFLICT: a key that gives tags is nobody's. */
MUST_USE int ctl_key_move(struct ctl *c, int64_t id, int64_t user);
/* Listing: the document with its online state. NULL ends. */
const struct ctl_node_doc *ctl_node_next(const struct ctl *c, const struct ctl_node_doc *n);
const struct ctl_node_doc *ctl_node_find(const struct ctl *c, int64_t id);
const struct ctl_node_doc *ctl_node_named(const struct ctl *c, const char *name);
MUST_USE int ctl_node_delete(struct ctl *c, int64_t id, struct now now);
/* The name stays then, whatever the device calls itself. NULL: it follows that again. */
MUST_USE int ctl_node_rename(struct ctl *c, int64_t id, const char *name, struct now now);
MUST_USE int ctl_node_expire(struct ctl *c, int64_t id, struct now now);
/* 0: never. Later than now: who had expired takes part again, without a login. */
MUST_USE int ctl_node_expire_at(struct ctl *c, int64_t id, unix_ms at, struct now now);
bool ctl_node_expired(const struct ctl_node_doc *d, unix_ms wall);
/* Does a device with this key take part now? Not if it has expired, waits for approval, is kept apart, or there is none. */
bool ctl_is_member(const struct ctl *c, const struct node_pub *key, unix_ms wall);
/* digest: of ctl_node_grant, as it was shown. -ERR_CHANGED: it is another one now. */
MUST_USE int ctl_node_approve(struct ctl *c, int64_t id, const char *digest, struct now now);
/* Its tags from now on; it belongs to nobody then, and its key does not expire. At least one. */
MUST_USE int ctl_node_tag(struct ctl *c, int64_t id, const char *const *tags, size_t n_tags, struct now now);
/* It is this user's from now on, without tags. -ERR_BAD_VALUE: no such user. */
MUST_USE int ctl_node_move(struct ctl *c, int64_t id, int64_t user, struct now now);

/*
 * Policy. Without one, and with an empty one, everybody reaches everybody. A text that is refused leaves the running policy as it
 * is. Refusals: -ERR_BAD_VALUE or what policy_doc_parse returns with *at; CTL_POLICY_TESTS_FAILED; -ERR_TOO_BIG; -ERR_CONFLICT.
 */
enum { CTL_POLICY_TESTS_FAILED = 1, CTL_POLICY_ANY_VERSION = -1 };

struct ctl_policy_version {
	int64_t id; /* from 1, each one higher than the one before */
	const char *author; /* a user, a key, a Git commit: whatever the one who set it says */
	const char *hash; /* hex of SHA-256 of the text, as it was given */
	unix_ms created;
	size_t size; /* of the text */
};

/* The running one. NULL: none was ever set. Good until the next ctl_policy_set. */
const struct ctl_policy_version *ctl_policy_current(const struct ctl *c);
/* All that are kept, the newest first. NULL begins and ends. */
const struct ctl_policy_version *ctl_policy_next(const struct ctl *c, const struct ctl_policy_version *v);
/* The text of a kept version, as it was given; borrowed until the next ctl_policy_set. 0: the running one. -ENOENT. */
MUST_USE int ctl_policy_text(const struct ctl *c, int64_t id, struct view *ret);

/* Each failed test or sshTest is told. May be NULL. */
typedef void (*ctl_policy_failure_fn)(void *ctx, const struct policy_failure *f);

/* Reads and compiles the text, runs its tests; stores nothing. */
MUST_USE int ctl_policy_check(struct ctl *c, struct view text, ctl_policy_failure_fn fn, void *ctx, struct err_at *at);
/*
 * The same, and makes it the running one: a new version, durable with the commit of the turn. if_version: refuse with -ERR_CONFLICT
 * if another version runs (0: any version); or CTL_POLICY_ANY_VERSION. To go back to a version, set its text.
 */
MUST_USE int ctl_policy_set(struct ctl *c, struct view text, const char *author, int64_t if_version, struct now now,
	ctl_policy_failure_fn fn, void *ctx, struct err_at *at);
/* What it would change, device by device; devices for which nothing changes are left out. Its tests are not run. */
MUST_USE int ctl_policy_preview(struct ctl *c, struct view text, void (*fn)(void *ctx, const struct policy_change *ch), void *ctx,
	struct err_at *at);
/*
 * May src reach dst? Each is an address, the name of a device, a tag (all devices with it) or a user (all of the user's without
 * tags). text: under this policy; NULL: under the running one. -ENOENT: no such thing, or it has no device; -ERR_TOO_MANY; *at says
 * which. Refusals of the text as above.
 */
struct ctl_reach {
	size_t asked, allowed; /* of all pairs of devices */
	struct policy_reach by; /* the rule that lets the first of these through */
	const char *denied_src, *denied_dst; /* the first pair of devices that may not, or NULL; good until something changes */
};
MUST_USE int ctl_policy_can_reach(struct ctl *c, const struct view *text, const char *src, const char *dst, int proto,
	uint16_t port, struct ctl_reach *ret, struct err_at *at);
/* Which of this text's rules concern a user, or a port of an address? As policy_rules_about. Refusals of the text as above. */
MUST_USE int ctl_policy_rules(struct ctl *c, struct view text, int64_t user, struct ipaddr dst, uint16_t port, policy_rule_fn fn,
	void *ctx, struct err_at *at);
void ctl_policy_stats(const struct ctl *c, struct policy_stats *ret);

/* "member", "auditor", "billing-admin", "network-admin", "it-admin", "admin", "owner". -ENOENT, -ERR_BAD_VALUE. */
MUST_USE int ctl_user_set_role(struct ctl *c, int64_t id, const char *role, struct now now);

/* Routes: what devices offer to carry, and what of it is approved. In use is what is both. */
struct ctl_route {
	int64_t node;
	struct ipprefix prefix;
	bool advertised, approved, in_use;
	bool primary; /* carries it now; never of a default route */
	bool online; /* the device */
	const char *by; /* who approved it; "": autoApprovers */
	unix_ms approved_at;
	const struct ipprefix *own; /* the organisation's own prefix that it overlaps, or NULL */
};
/* node 0: of all devices. fn's negative result ends the walk and is returned. -ENOENT. */
MUST_USE int ctl_routes(const struct ctl *c, int64_t node, int (*fn)(void *ctx, const struct ctl_route *r), void *ctx);
/* Also in advance, before the device offers it. -ENOENT: no such device; -ERR_TOO_MANY. Approved already: 0. */
MUST_USE int ctl_route_approve(struct ctl *c, int64_t node, struct ipprefix prefix, const char *by, struct now now);
MUST_USE int ctl_route_unapprove(struct ctl *c, int64_t node, struct ipprefix prefix, struct now now); /* -ENOENT */

/*
 * Prefixes that belong to the organisation: nobody should offer a route into them by himself. A device is trusted with a route when
 * somebody or autoApprovers approved it; for others it depends on the switch.
 */
enum ctl_own_switch {
	CTL_OWN_SHOW, /* listed as overlapping, no more */
	CTL_OWN_QUARANTINE, /* a device that offers one sees nobody, and nobody sees it, until it stops or is trusted */
	CTL_OWN_REFUSE, /* a new device that offers one is not let in; for one that is in, as quarantine */
};
struct ctl_settings {
	struct json_list own_prefixes; /* struct ipprefix */
	int64_t own_switch;
};
const struct ctl_settings *ctl_settings(const struct ctl *c);
/* -ERR_BAD_VALUE: a default route, or bits set behind the prefix; -ERR_TOO_MANY. */
MUST_USE int ctl_own_prefixes_set(struct ctl *c, const struct ipprefix *v, size_t n, enum ctl_own_switch what, struct now now);
bool ctl_node_quarantined(const struct ctl *c, int64_t id);
/* Two devices run with its identity: they take the stream from each other. */
bool ctl_node_duplicate(const struct ctl *c, int64_t id);

/* A login that waits: who asks? */
struct ctl_pending_view {
	const char *code; /* eight letters, a dash in their middle */
	const char *hostname, *os;
	struct json_list tags; /* const char *: what it wants to be; approval grants it */
	struct ipport from;
	unix_ms created;
};
/* The whole code, in any case, with or without the dash. */
bool ctl_pending_find(const struct ctl *c, const char *code, struct ctl_pending_view *ret);
/* How many codes begin like this? ret is one of them, if any. */
size_t ctl_pending_match(const struct ctl *c, const char *beginning, struct ctl_pending_view *ret);
bool ctl_pending_next(const struct ctl *c, const char *after, struct ctl_pending_view *ret);
/* The login of a device that had this code before it asked for other things. */
bool ctl_pending_successor(const struct ctl *c, const char *code, struct ctl_pending_view *ret);

/* All that an approval gives, for people to read, and its digest. In mem. */
struct ctl_grant_line {
	const char *label, *value;
};
struct ctl_grant {
	struct json_list lines; /* struct ctl_grant_line */
	char digest[2 * CTL_DIGEST_LEN + 1];
};
/* As the device of this user. -ENOENT; -ERR_BAD_VALUE: no such user. */
MUST_USE int ctl_pending_grant(struct ctl *c, const char *code, int64_t user, struct now now, struct arena *mem, struct ctl_grant *ret);
MUST_USE int ctl_node_grant(struct ctl *c, int64_t id, struct arena *mem, struct ctl_grant *ret); /* of a device that waits. -ENOENT */
/*
 * *ret is the number of the device. digest: as it was shown. -ERR_CHANGED: it would give something else now; -ERR_EXPIRED: the device
 * was in meanwhile, and its key has expired.
 */
MUST_USE int ctl_pending_approve(struct ctl *c, const char *code, int64_t user, const char *digest, struct now now, int64_t *ret);
MUST_USE int ctl_pending_reject(struct ctl *c, const char *code); /* who waits is told. -ENOENT */

struct ctl_stats {
	size_t nodes, online, users, keys, pending, polls, duplicates;
	uint64_t pending_evicted, pending_refused; /* logins that gave way to others; for which there was no room */
	uint64_t expired_asks; /* registrations and map requests with a key that is known as no longer good */
	uint64_t registrations, refused, settings_refused, bad_requests, maps, lite_updates, messages, commits, bytes_out, shed, waited, pools_full;
	size_t waiting; /* devices of which something is to be told later */
	uint64_t updates_held, paced_logins;
	uint64_t texts_cleaned, parts_left_out, unreadable; /* of what devices say of themselves; told.c */
};
void ctl_stats(const struct ctl *c, struct ctl_stats *ret);

#endif
