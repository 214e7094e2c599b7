/*
 * core/netmap: what a node knows of its network. The control connection delivers it in pieces: whole maps, and deltas
 * that only have meaning against what came before. netmap_apply puts the pieces together and says what changed.
 *
 * Every part is kept in memory of its own, so that a change of one peer of ten thousand touches one peer. Pointers that
 * the accessors return are good until the part changes; on_change is called after the part has its new value.
 */
#ifndef WARREN_CORE_NETMAP_NETMAP_H
#define WARREN_CORE_NETMAP_NETMAP_H

#include "base/time/time.h"
#include "proto/tailcfg/tailcfg.h"

enum {
	NETMAP_FILTERS_MAX = 1000, /* named pieces of the packet filter */
	NETMAP_USERS_MAX = TC_PEERS_MAX,
	NETMAP_TEXT_MAX = 256 << 20, /* one part, or the whole map written out */
};

enum netmap_change {
	NETMAP_PEER_ADDED, /* id: the node */
	NETMAP_PEER_CHANGED,
	NETMAP_PEER_REMOVED, /* netmap_peer(id) gives NULL already */
	NETMAP_SELF,
	NETMAP_FILTER,
	NETMAP_DERP,
	NETMAP_DNS,
	NETMAP_SSH,
	NETMAP_USER, /* id: the user */
	NETMAP_DOMAIN,
	NETMAP_HEALTH,
};

struct netmap;

struct netmap_ops {
	/* Must not call netmap_apply. */
	void (*on_change)(void *ctx, enum netmap_change what, int64_t id);
};

MUST_USE int netmap_new(
	struct netmap **ret, const struct netmap_ops *ops, void *ctx, struct rng *rng);
void netmap_free(struct netmap *nm);
void netmap_clear(struct netmap *nm); /* empty as at first; on_change is not called */

/* A new session of the hub's begins: its first response says all, and what that leaves out is gone. */
void netmap_begin(struct netmap *nm);
/*
 * Applies one response, which netmap_check has seen. -ERR_TOO_MANY, -ERR_TOO_BIG, -ENOMEM: the map is then a mix of old and new, each part whole;
 * the connection has to start over, and the full map it begins with repairs everything.
 */
MUST_USE int netmap_apply(struct netmap *nm, const struct tc_map_response *r, struct now now);

const struct tc_node *netmap_self(const struct netmap *nm); /* NULL before the first */
const struct tc_node *netmap_peer(const struct netmap *nm, int64_t id);
size_t netmap_n_peers(const struct netmap *nm);
/* All peers in the order of their IDs, into room for netmap_n_peers. */
void netmap_peers(const struct netmap *nm, const struct tc_node **ret);
const struct tc_derp_map *netmap_derp_map(const struct netmap *nm);
const struct tc_dns_config *netmap_dns(const struct netmap *nm);
const struct tc_user *netmap_user(const struct netmap *nm, int64_t id);
const char *netmap_domain(const struct netmap *nm);             /* "" when unknown */
struct view netmap_ssh_policy(const struct netmap *nm);         /* JSON; empty when none came */
const struct json_list *netmap_health(const struct netmap *nm); /* texts; NULL when none came */
/* Name -> struct tc_display_message *, by name; NULL when none came. While there is one, it takes the place of netmap_health. */
const struct json_map *netmap_display(const struct netmap *nm);

/* The packet filter is the concatenation of its pieces in the order of their names. */
size_t netmap_n_filters(const struct netmap *nm);
const struct json_list *netmap_filter(
	const struct netmap *nm, size_t i, const char **ret_name); /* tc_filter_rule */

/* Wall time of the control server less ours, as of the last response that told; added to `now` to judge key expiry. */
int64_t netmap_control_skew_ms(const struct netmap *nm);

/* Writes the map as one map response; netmap_load on an empty map gives the same map back. */
MUST_USE int netmap_save(const struct netmap *nm, struct buf *out);
/* Checked like any other, when c is given (check.h). -ERR_BAD_FORMAT and the like when the text is damaged. */
struct netmap_check;
struct netmap_check_by;
MUST_USE int netmap_load(struct netmap *nm, const void *text, size_t len, struct netmap_check *c,
	const struct netmap_check_by *by, struct now now);

#endif
