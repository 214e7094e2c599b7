/*
 * core/policy: what a policy document means for the devices of a tailnet. In: the text, users,
 * nodes. Out, per node: the packet filter, the visible peers, the routes that it may use through
 * them, SSH rules, node attributes, capabilities. Forms: docs/protocol/policy.md; the meaning
 * follows the recorded answers of Tailscale's service (tests/conformance).
 *
 * Three things with three lives:
 *   policy_doc        a text that was read: immutable, every part knows its line and column (lang/);
 *   policy_directory  users and nodes, kept up to date by the owner, one change at a time (compile/);
 *   policy_plan       a document compiled against a directory. The installed plan follows each change
 *                     of it (compile/), and is asked (answer/). A second plan can be made beside it
 *                     from a candidate document, to run its tests and to see what it would change.
 *
 * Built for size: nodes that the document cannot tell apart form one class, and what is true of a
 * class is computed once. A change of a node moves it between classes, marks the classes that it
 * concerns, and computes nothing else; results are made when asked for.
 */
#ifndef WARREN_CORE_POLICY_POLICY_H
#define WARREN_CORE_POLICY_POLICY_H

#include "base/arena/arena.h"
#include "base/buf/buf.h"
#include "base/err/err.h"
#include "base/netip/netip.h"

enum {
	POLICY_NODES_MAX = 1 << 20,
	POLICY_USERS_MAX = 1 << 20,
	POLICY_ROUTES_MAX = 4096,     /* of one node */
	POLICY_TAGS_MAX = 64,         /* of one node */
	POLICY_ATTRS_MAX = 256,       /* posture attributes of one node */
	POLICY_TEXT_MAX = 1024,       /* of a name, a tag, an attribute */
	POLICY_FILTER_MAX = 64 << 20, /* bytes of one node's filter */
};

struct policy_doc;
struct tc_derp_region;
struct policy_directory;
struct policy_plan;

/*
 * Reads a text and checks all that it says about itself. Nothing at all (len 0) is the policy that
 * allows everything. On a fault *at has line and column and says what to do; -ERR_BAD_VALUE, or
 * what hujson_parse returns, or -ENOMEM.
 */
MUST_USE int policy_doc_parse(
	struct policy_doc **ret, const void *text, size_t len, struct err_at *at);
struct policy_doc *policy_doc_free(struct policy_doc *d);

enum policy_role {
	POLICY_MEMBER,
	POLICY_AUDITOR,
	POLICY_BILLING_ADMIN,
	POLICY_NETWORK_ADMIN,
	POLICY_IT_ADMIN,
	POLICY_ADMIN,
	POLICY_OWNER, /* is an admin too */
};

/* Texts may be NULL. All is copied. */
struct policy_user {
	int64_t id;
	const char *login; /* an e-mail address as a rule */
	const char *name;
	const char *provider_id; /* of the identity provider */
	enum policy_role role;
};

/* A posture attribute, such as node:os. Numbers and versions are texts too: "1.80.2", "true". */
struct policy_attr {
	const char *key, *value;
};

struct policy_node {
	int64_t id;
	int64_t user;            /* without meaning when there are tags */
	const char *const *tags; /* "tag:web" */
	size_t n_tags;
	struct ipaddr ip4, ip6;        /* either may be unset */
	const struct ipprefix *routes; /* in use: advertised and approved, default routes too */
	size_t n_routes;
	const struct policy_attr *attrs;
	size_t n_attrs;
	bool offline;   /* does not carry routes for others */
	bool unhealthy; /* answers no probe: carries routes only if nobody else can */
};

struct policy_cfg {
	const char *const *domains; /* of the organisation: user:*@domain and localpart:*@domain may
				       name only these */
	size_t n_domains;
	uint8_t seed[16]; /* of the hash tables */
};

MUST_USE int policy_directory_new(struct policy_directory **ret, const struct policy_cfg *cfg);
struct policy_directory *policy_directory_free(
	struct policy_directory *w); /* the installed plan too */

/* New or changed. -ERR_BAD_VALUE (an id of 0 or below, a text that is too long), -ERR_TOO_MANY,
 * -ENOMEM. */
MUST_USE int policy_user_put(struct policy_directory *w, const struct policy_user *u);
MUST_USE int policy_user_remove(struct policy_directory *w, int64_t id); /* -ENOENT */
MUST_USE int policy_node_put(struct policy_directory *w, const struct policy_node *n);
MUST_USE int policy_node_remove(struct policy_directory *w, int64_t id); /* -ENOENT */
bool policy_node_exists(const struct policy_directory *w, int64_t id);

/*
 * Compiles d against w as it is now. Takes d, also on failure. The plan is good until the directory
 * changes; an installed one follows. Faults that only the directory shows (two users of one name, a
 * foreign domain, nobody of this name in nodeAttrs) refuse a new document with *at; for a stored
 * one, which was good when it was written, they are no fault: the selector is empty.
 */
enum policy_origin { POLICY_NEW, POLICY_STORED };
MUST_USE int policy_plan_new(struct policy_plan **ret, struct policy_directory *w,
	struct policy_doc *d, enum policy_origin origin, struct err_at *at);
struct policy_plan *policy_plan_free(struct policy_plan *p); /* not of the installed one */
/* Takes p; the one before is freed. Everything may have changed for everybody: ask policy_preview
 * before, if you want to know. */
void policy_install(struct policy_directory *w, struct policy_plan *p);
struct policy_plan *policy_installed(const struct policy_directory *w); /* NULL before the first */

/*
 * What changes of the directory did to the installed plan's answers since the last drain. The same may
 * be told twice; nothing that changed is left out. After policy_install everybody is told
 * POLICY_TOUCHED_ALL.
 */
enum policy_touched {
	POLICY_TOUCHED_FILTER = 1,
	POLICY_TOUCHED_SSH = 2,
	POLICY_TOUCHED_PEER = 4, /* it may see `peer` now, or not any more, or other routes of it:
				    ask policy_visible */
	POLICY_TOUCHED_SELF = 8, /* what it is told of itself */
	POLICY_TOUCHED_ALL = 16, /* anything, each of its peers too */
};
/* fn is called for each; `peer` is 0 unless POLICY_TOUCHED_PEER. fn must not change the directory.
 * -ENOMEM. */
MUST_USE int policy_drain(struct policy_directory *w,
	void (*fn)(void *ctx, int64_t node, unsigned what, int64_t peer), void *ctx);

/*
 * The packet filter of a node as the wire has it: a JSON array of tailcfg's FilterRule, appended to
 * out. [] allows nothing. -ENOENT, -ERR_TOO_BIG, -ENOMEM.
 */
MUST_USE int policy_filter(struct policy_plan *p, int64_t node, struct buf *out);

/*
 * The same in parts, of which most are shared by many nodes: a part with an id has the same bytes
 * wherever that id appears, and an id is never used for other bytes. Borrowed until the directory
 * changes. All parts one after another are the JSON text.
 */
typedef int (*policy_part_fn)(
	void *ctx, uint64_t id, struct view bytes); /* id 0: of this node alone */
MUST_USE int policy_filter_parts(struct policy_plan *p, int64_t node, policy_part_fn fn, void *ctx);

/* Are a and b peers of each other? Symmetric. false for unknown nodes, and for a node and itself.
 */
bool policy_visible(struct policy_plan *p, int64_t a, int64_t b);
/*
 * Does the node see everybody, with all routes that they carry? Then its view is the same as that of all others of whom this holds.
 * False may also mean: nobody looked closely.
 */
bool policy_sees_all(struct policy_plan *p, int64_t node);
/* All peers of a node, in no order. fn's negative result ends the walk and is returned. -ENOENT. */
MUST_USE int policy_peers(
	struct policy_plan *p, int64_t node, int (*fn)(void *ctx, int64_t peer), void *ctx);

/*
 * The addresses that `viewer` may reach through its peer (its AllowedIPs): the peer's own, then
 * subnet routes for which it is primary, then default routes. *ret_own of the first are the peer's
 * own (its Addresses); *ret_primary tells which are PrimaryRoutes: those between own and
 * *ret_primary. In the arena, sorted in each part. -ENOENT, -ENOMEM.
 */
struct policy_allowed {
	struct ipprefix *v;
	size_t n, n_addresses, n_primary;
};
MUST_USE int policy_allowed(struct policy_plan *p, int64_t viewer, int64_t peer, struct arena *a,
	struct policy_allowed *ret);
/* What the node is told of itself: all its approved routes, and those for which it is primary. */
MUST_USE int policy_self_allowed(
	struct policy_plan *p, int64_t node, struct arena *a, struct policy_allowed *ret);

/*
 * The SSH policy of a node: {"rules":[...]}. 1 when the document has no ssh section: send none.
 * check_url is the holdAndDelegate URL with the client's $ names; it goes out as it is.
 */
MUST_USE int policy_ssh(
	struct policy_plan *p, int64_t node, const char *check_url, struct buf *out);
/* How often a person must prove who they are for src to log in to dst as local_user. */
enum policy_ssh_verdict { POLICY_SSH_NO, POLICY_SSH_ACCEPT, POLICY_SSH_CHECK };
/* *ret_period in seconds, 0: every time; only with POLICY_SSH_CHECK. */
enum policy_ssh_verdict policy_ssh_verdict(struct policy_plan *p, int64_t src, int64_t dst,
	const char *local_user, int64_t *ret_period);

/* Attributes that the document gives to a node. values is a JSON array or NULL for null. In the
 * arena, names sorted. */
struct policy_node_cap {
	const char *name, *values;
};
MUST_USE int policy_node_caps(struct policy_plan *p, int64_t node, struct arena *a,
	struct policy_node_cap **ret, size_t *ret_n);
/* Attributes that peers are shown. suggest-exit-node: every exit node has it, whatever the document
 * says. dns-subdomain-resolve: all names below that of the device are its own; those who ask need
 * to know, not the device. */
bool policy_node_resolves_subdomains(struct policy_plan *p, int64_t node);
bool policy_node_suggests_exit(struct policy_plan *p, int64_t node);
/* Is the IPv4 address of the node kept from everybody (disable-ipv4)? */
bool policy_node_hides_ip4(struct policy_plan *p, int64_t node);
/*
 * derpMap: regions by number, added to the hub's, put in the place of the hub's of that number, or (NULL) left out; omit_default: none
 * of the hub's. Borrowed from the document; without regions and omit_default it says nothing.
 */
struct policy_derp_region {
	const char *number;
	struct tc_derp_region *region;
};
struct policy_derp_map {
	struct policy_derp_region *regions;
	size_t n;
	bool omit_default;
};
const struct policy_derp_map *policy_derp_map(const struct policy_plan *p);
bool policy_derp_map_same(const struct policy_plan *a, const struct policy_plan *b);
/* Address pools (ipPool) for a new address of the node; none: the hub's own. Borrowed from the
 * document. */
size_t policy_node_pools(
	struct policy_plan *p, int64_t node, const struct ipprefix **ret, size_t max);

/* What `src` may do at `dst` as an application: capability names and the values, concatenated. In
 * the arena. */
MUST_USE int policy_peer_caps(struct policy_plan *p, int64_t src, int64_t dst, struct arena *a,
	struct policy_node_cap **ret, size_t *ret_n);

/* May the node have this route without an administrator's yes? Approval adds only: it never takes
 * one away. */
bool policy_route_auto_approved(struct policy_plan *p, int64_t node, struct ipprefix route);
/* A node of this user, or with these tags, that is not there yet. */
bool policy_route_would_be_approved(struct policy_plan *p, int64_t user, const char *const *tags,
	size_t n_tags, struct ipprefix route);
/* The router that carries a route now; 0 when nobody does. Default routes have no primary. */
int64_t policy_route_primary(const struct policy_plan *p, struct ipprefix route);
/* Makes a router the primary of a route if it is a candidate: to restore the state of before a
 * restart. */
void policy_route_prefer(struct policy_plan *p, struct ipprefix route, int64_t node);

/* May this user, or this node (0: a new one), take this tag? False for a tag that is not in
 * tagOwners. */
bool policy_tag_allowed(struct policy_plan *p, const char *tag, int64_t user, int64_t node);
bool policy_tag_exists(const struct policy_plan *p, const char *tag);
/* May a holder of `owner` give out `tag`? Directly or through other tags. */
bool policy_tag_owned_by_tag(struct policy_plan *p, const char *tag, const char *owner);

/* May a packet of protocol proto (a number; 6 = TCP) go from one address to a port of another, and
 * by which rule? */
struct policy_reach {
	bool allowed;
	bool grant; /* grants[index]; else acls[index] */
	size_t index;
	unsigned line; /* of the rule in the text; 0: no document, all open */
};
void policy_can_reach(struct policy_plan *p, struct ipaddr src, struct ipaddr dst, int proto,
	uint16_t port, struct policy_reach *ret);

/*
 * The rules that concern a user's devices as sources (user 0: not asked), or a port of an address as destination (dst unset: not
 * asked), in the order of the text, each once. Those that only give application capabilities are left out.
 */
typedef void (*policy_rule_fn)(void *ctx, bool grant, size_t index, unsigned line);
void policy_rules_about(struct policy_plan *p, int64_t user, struct ipaddr dst, uint16_t port,
	policy_rule_fn fn, void *ctx);

/* tests and sshTests of the document. 0: all hold; 1: some failed, each told to fn; negative:
 * -ENOMEM. */
struct policy_failure {
	const char *src;  /* as written; "" when missing */
	const char *text; /* what was wanted and what is so, on one line */
	bool ssh;
	unsigned line, column;
};
MUST_USE int policy_test(
	struct policy_plan *p, void (*fn)(void *ctx, const struct policy_failure *f), void *ctx);

/* What installing `next` in place of `now` would change, node by node. what: POLICY_TOUCHED_FILTER,
 * _SSH, _PEER. -ENOMEM. */
struct policy_change {
	int64_t node;
	unsigned what;
	size_t peers_gained, peers_lost;
};
MUST_USE int policy_preview(struct policy_plan *now, struct policy_plan *next,
	void (*fn)(void *ctx, const struct policy_change *c), void *ctx);

/* Whole-tailnet switches of the document. */
bool policy_disable_ipv4(const struct policy_plan *p);

struct policy_stats {
	size_t nodes, users, classes, selectors, rules;
};
void policy_stats(const struct policy_plan *p, struct policy_stats *ret);

#endif
