/* The policy engine learns of all that was loaded, and runs the stored policy. */
#include "core/coord/policy_sync/internal.h"

/* Every device with routes again: the policy or the organisation's prefixes are others. */

int policy_sync_routes(struct tailnet *c, struct now now)
{
	int rc = 0;

	list_for_each_safe(l, &c->nodes) {
		struct coord_node *n = container_of(l, struct coord_node, link);

		if (rc == 0 && n->doc.hostinfo && n->doc.hostinfo->routable_ips.n)
			rc = policy_sync_node(c, n, now);
	}
	return rc;
}

int policy_sync_start(struct tailnet *c, struct now now, struct err_at *at)
{
	struct policy_cfg cfg = { .domains = c->cfg.login_domains,
		.n_domains = c->cfg.n_login_domains };
	struct view text = VIEW_LIT("");
	struct policy_doc *doc;
	struct policy_plan *plan;
	int rc;

	memcpy(cfg.seed, c->seed, sizeof(cfg.seed));
	rc = policy_directory_new(&c->policy, &cfg);
	list_for_each(l, &c->users)
		if (rc == 0)
			rc = policy_sync_user(c, container_of(l, struct user, link));
	primaries_expect(c);
	list_for_each_safe(l, &c->nodes)
		if (rc == 0)
			rc = policy_sync_node(c, container_of(l, struct coord_node, link), now);
	if (rc == 0 && version_running(c))
		text = version_running(c)->text;
	c->open = text.len == 0;
	if (rc == 0)
		rc = policy_doc_parse(&doc, text.p, text.len, at);
	if (rc == 0)
		rc = policy_plan_new(&plan, c->policy, doc, POLICY_STORED, at);
	if (rc < 0)
		return rc;
	policy_install(c->policy, plan);
	primaries_restore(c);
	return policy_sync_routes(c, now);
}

void policy_sync_end(struct tailnet *c)
{
	c->policy = policy_directory_free(c->policy);
}
