/* Who may have which tags. */
#include "core/coord/policy_sync/internal.h"

/* Without a policy any tag will do; with one only those that it defines. */
bool tags_are_known(const struct tailnet *c, const struct json_list *tags)
{
	for (size_t i = 0; i < tags->n && !c->open; i++)
		if (!policy_tag_exists(
			    policy_installed(c->policy), *JSON_AT(*tags, const char *, i)))
			return false;
	return true;
}

/* Without a policy nobody has said who may not. */

/* May devices of this user, or this one, have the tags? Without a policy nobody has said who may not. */
bool tags_may_have(
	struct tailnet *c, const struct json_list *tags, int64_t user, const struct coord_node *n)
{
	for (size_t i = 0; i < tags->n && !c->open; i++)
		if (!policy_tag_allowed(policy_installed(c->policy),
			    *JSON_AT(*tags, const char *, i), user, n ? n->doc.id : 0))
			return false;
	return true;
}
