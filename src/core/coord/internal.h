/* core/coord/internal: what the files of this folder share: all that is below. */
#ifndef WARREN_CORE_COORD_INTERNAL_H
#define WARREN_CORE_COORD_INTERNAL_H

#include "core/coord/coord.h"
#include "core/coord/intake/intake.h"
#include "core/coord/policy_sync/policy_sync.h"
#include "core/coord/tailnet/tailnet.h"

/* A document that was read. */
union stored {
	struct coord_user user;
	struct coord_node_doc node;
	struct coord_key key;
	struct coord_meta meta;
	struct coord_settings settings;
	struct coord_policy_doc policy;
	struct coord_dns dns;
};

enum { STORED_MEM_MAX = 64 << 20 };

/* load.c: what is stored. at says which document was bad. */
MUST_USE int coord_load(struct tailnet *c, struct err_at *at);
/* In mem. 1: a device's, and it is not what is stored. */
MUST_USE int stored_decode(struct tailnet *c, enum coord_kind kind, struct view doc,
	union stored *ret, struct arena *mem);
void stored_take_meta(struct tailnet *c, const struct coord_meta *m);
/* mem is the device's from here on. */
MUST_USE int stored_take_node(
	struct tailnet *c, struct coord_node_doc *doc, struct arena mem, bool unsaved);

/* users.c: of another process's document. */
MUST_USE int users_apply(struct tailnet *c, const struct coord_user *doc, struct now now);
MUST_USE int users_apply_gone(struct tailnet *c, int64_t id);
/* nodes.c */
MUST_USE int nodes_apply(
	struct tailnet *c, struct coord_node *n, const struct coord_node_doc *doc, struct now now);
/* -ERR_CONFLICT: another device has its key, its name or its address. */
MUST_USE int nodes_check_new(const struct tailnet *c, const struct coord_node_doc *doc);
/* dns.c: as it is stored; mem is the tailnet's from here on. And of another process's document. */
MUST_USE int dns_load(struct tailnet *c, const struct coord_dns *doc, struct arena mem);
MUST_USE int dns_apply(struct tailnet *c, const struct coord_dns *doc, struct now now);
/* policy.c: another process set it */
MUST_USE int policy_apply(struct tailnet *c, const struct coord_policy_doc *doc, struct now now);

#endif
