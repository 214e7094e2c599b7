/* Users, as the policy engine knows them. */
#include "core/coord/policy_sync/internal.h"

static const char *const role_names[] = {
	[POLICY_MEMBER] = "member",
	[POLICY_AUDITOR] = "auditor",
	[POLICY_BILLING_ADMIN] = "billing-admin",
	[POLICY_NETWORK_ADMIN] = "network-admin",
	[POLICY_IT_ADMIN] = "it-admin",
	[POLICY_ADMIN] = "admin",
	[POLICY_OWNER] = "owner",
};

int policy_sync_role(const char *name, enum policy_role *ret)
{
	*ret = POLICY_MEMBER;
	if (!name || !*name)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(role_names); i++) {
		if (strcmp(role_names[i], name) != 0)
			continue;
		*ret = (enum policy_role)i;
		return 0;
	}
	return -ERR_BAD_VALUE;
}

int policy_sync_user(struct tailnet *c, const struct user *u)
{
	struct policy_user doc = {
		.id = u->doc.id, .login = u->doc.name, .name = u->doc.display_name
	};

	if (policy_sync_role(u->doc.role, &doc.role) < 0)
		doc.role = POLICY_MEMBER;
	return c->policy ? policy_user_put(c->policy, &doc) : 0;
}
