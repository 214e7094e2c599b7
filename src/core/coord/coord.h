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

#include "core/coord/dns/dns.h"
#include "core/coord/mapper/mapper.h"
#include "core/coord/register/register.h"
#include "core/coord/routes/routes.h"
#include "core/coord/tailnet/types.h"

/* Loads what is stored. at says which document was bad, or what of the configuration is. */
MUST_USE int coord_new(
	struct tailnet **ret, const struct coord_cfg *cfg, struct now now, struct err_at *at);
struct tailnet *coord_free(struct tailnet *c);
/* Stays through renames and moves of the hub; clients key what they remember on it. */
const char *coord_tailnet_id(const struct tailnet *c);
void coord_tick(struct tailnet *c, struct now now);
/* The store takes changes again: what the engine would have decided by itself meanwhile is decided now. */
MUST_USE int coord_store_back(struct tailnet *c, struct now now);
/*
 * Another process wrote this document (NULL: deleted it), and it is stored. Whoever is concerned is told. Negative: it cannot be taken by
 * itself, or not be read, and memory may be half of it: the owner makes a new engine from what is stored.
 */
MUST_USE int coord_apply(struct tailnet *c, enum coord_kind kind, int64_t id,
	const struct view *doc, struct now now);
mono_ns coord_deadline(const struct tailnet *c);
/*
 * The end of a turn, also of one in which only the store has something new: commits, and lets go what waited for what is durable
 * now. Negative: the store failed; answers were errors, and the memory is ahead of the disk.
 */
MUST_USE int coord_turn_end(struct tailnet *c, struct now now);

/*
 * Administration. Texts are copied. Errors: -ENOENT, -EEXIST, -ERR_BAD_VALUE, ... -ERR_DENIED: a tag that the policy does not
 * define or, at the approval of a login, does not let this user give; or a device that COORD_PROTECTED_REFUSE keeps out.
 */
/* Names are kept in lower case and without an @ at the end: "Bob" and "bob@" are "bob". */
MUST_USE int coord_user_create(
	struct tailnet *c, const char *name, struct now now, const struct coord_user **ret);
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
/* "member", "auditor", "billing-admin", "network-admin", "it-admin", "admin", "owner". -ENOENT, -ERR_BAD_VALUE. */
MUST_USE int coord_user_set_role(struct tailnet *c, int64_t id, const char *role, struct now now);
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

/* Devices. Listing: the document with its online state. */
MUST_USE int coord_node_delete(struct tailnet *c, int64_t id, struct now now);
/* The name stays then, whatever the device calls itself. NULL: it follows that again. */
MUST_USE int coord_node_rename(struct tailnet *c, int64_t id, const char *name, struct now now);
MUST_USE int coord_node_expire(struct tailnet *c, int64_t id, struct now now);
/* 0: never. Later than now: who had expired takes part again, without a login. */
MUST_USE int coord_node_expire_at(struct tailnet *c, int64_t id, unix_ms at, struct now now);
/* Its tags from now on; it belongs to nobody then, and its key does not expire. At least one. */
MUST_USE int coord_node_tag(
	struct tailnet *c, int64_t id, const char *const *tags, size_t n_tags, struct now now);
/* It is this user's from now on, without tags. -ERR_BAD_VALUE: no such user. */
MUST_USE int coord_node_move(struct tailnet *c, int64_t id, int64_t user, struct now now);

/*
 * Policy. Without one, and with an empty one, everybody reaches everybody. A text that is refused leaves the running policy as it
 * is. Refusals: -ERR_BAD_VALUE or what policy_doc_parse returns with *at; COORD_POLICY_TESTS_FAILED; -ERR_TOO_BIG; -ERR_CONFLICT.
 */

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

/* Routes: what devices offer to carry, and what of it is approved. In use is what is both. */
/* Also in advance, before the device offers it. -ENOENT: no such device; -ERR_TOO_MANY. Approved already: 0. */
MUST_USE int coord_route_approve(
	struct tailnet *c, int64_t node, struct ipprefix prefix, const char *by, struct now now);
MUST_USE int coord_route_unapprove(
	struct tailnet *c, int64_t node, struct ipprefix prefix, struct now now); /* -ENOENT */
const struct coord_settings *coord_settings(const struct tailnet *c);
/* -ERR_BAD_VALUE: a default route, or bits set behind the prefix; -ERR_TOO_MANY. */
MUST_USE int coord_protected_prefixes_set(struct tailnet *c, const struct ipprefix *v, size_t n,
	enum coord_protected_switch what, struct now now);
/* DNS: how devices resolve names. Good until the next coord_dns_set. */
const struct coord_dns *coord_dns(const struct tailnet *c);
/* Cleaned, stored, and told to those for whom it is another thing. Errors as coord_dns_clean; -ERR_TOO_BIG: all together. */
MUST_USE int coord_dns_set(
	struct tailnet *c, const struct coord_dns *d, struct now now, struct err_at *at);
bool coord_node_quarantined(const struct tailnet *c, int64_t id);
void coord_stats(const struct tailnet *c, struct coord_stats *ret);

#endif
