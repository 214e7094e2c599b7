/* core/coord/policy_sync: the policy engine beside the tailnet: it is told of every device and user, and asked what it says of them. */
#ifndef WARREN_CORE_COORD_POLICY_SYNC_POLICY_SYNC_H
#define WARREN_CORE_COORD_POLICY_SYNC_POLICY_SYNC_H

#include "base/list/list.h"
#include "core/coord/tailnet/types.h"

struct user;

/* A version of the policy that is kept. */
struct version {
	struct list link;
	struct arena mem;
	struct coord_policy_version v;
	struct view text;
};
struct coord_policy_doc;

/* After the load: the engine learns of all that there is, and runs the stored policy. */
MUST_USE int policy_sync_start(struct tailnet *c, struct now now, struct err_at *at);
void policy_sync_end(struct tailnet *c);
MUST_USE int policy_sync_role(const char *name, enum policy_role *ret);
MUST_USE int policy_sync_user(struct tailnet *c, const struct user *u);
MUST_USE int policy_sync_node(struct tailnet *c, struct coord_node *n,
	struct now now); /* its document or state is another */
/* The same, after a change that is made and cannot be taken back: peers would not hear of it, and routes go where nobody is, so the
 * engine ends if there is no memory. */
int policy_sync_follow(struct tailnet *c, struct coord_node *n, struct now now);
/* Its document is replaced, and the policy engine follows. whole: a patch cannot tell it. */
MUST_USE int policy_sync_update(struct tailnet *c, struct coord_node *n,
	const struct coord_node_doc *doc, bool whole, bool durable, struct now now);
/* What the engine says of it is another thing now: its peers are told if they can see that. */
void policy_sync_review(struct tailnet *c, struct coord_node *n, struct now now);
/* The policy may want addresses of devices like this one in a pool of their own. -ERR_NO_ADDRESS: all of it are taken. */
MUST_USE int pool_move(struct tailnet *c, struct coord_node *n, struct now now);
void policy_sync_gone(struct tailnet *c, struct coord_node *n);
/* Every device with routes again: the policy or the organisation's prefixes are others. */
MUST_USE int policy_sync_routes(struct tailnet *c, struct now now);
/* By its key, for a request of its own: that the key has expired just now is seen here, whatever the timer does. */
struct coord_node *policy_sync_node_that_asks(
	struct tailnet *c, const struct node_pub *key, struct now now);
void expire_tick(struct tailnet *c, struct now now);
bool tags_are_known(const struct tailnet *c, const struct json_list *tags);
/* May devices of this user, or this one, have the tags? Without a policy nobody has said who may not. */
bool tags_may_have(
	struct tailnet *c, const struct json_list *tags, int64_t user, const struct coord_node *n);
/* Reads and compiles a text; the plan is the caller's. */
MUST_USE int compile_plan(
	struct tailnet *c, struct view text, struct policy_plan **ret, struct err_at *at);
MUST_USE int version_load(struct tailnet *c, const struct coord_policy_doc *doc);
/* It is in the store no more. -ERR_CONFLICT: it runs. */
MUST_USE int version_drop(struct tailnet *c, int64_t id);
void versions_free(struct tailnet *c);
/* The running one; NULL: none was ever set. */
struct version *version_running(const struct tailnet *c);
/* The next version, which runs from now on; the oldest go if there are too many. */
MUST_USE int version_store(struct tailnet *c, struct view text, const char *author, struct now now);

/* Which routers carry what is saved, if it is another thing now. */
void primaries_save(struct tailnet *c);

#endif
