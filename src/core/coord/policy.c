/* The policy: another text, what it would mean, and which ones there were. */
#include "core/coord/internal.h"
#include "base/text/text.h"

#include <errno.h>

const struct coord_policy_version *coord_policy_current(const struct tailnet *c)
{
	return version_running(c) ? &version_running(c)->v : NULL;
}

const struct coord_policy_version *coord_policy_next(
	const struct tailnet *c, const struct coord_policy_version *v)
{
	const struct list *l = v ? container_of(v, struct version, v)->link.next : c->versions.next;

	return l == &c->versions ? NULL : &container_of(l, struct version, link)->v;
}

int coord_policy_text(const struct tailnet *c, int64_t id, struct view *ret)
{
	list_for_each(l, &c->versions) {
		const struct version *v = container_of(l, struct version, link);

		if (id && v->v.id != id)
			continue;
		*ret = v->text;
		return 0;
	}
	return -ENOENT;
}

/* another text */

static void no_failure(void *ctx, const struct policy_failure *f)
{
	(void)ctx;
	(void)f;
}

/* Compiles and tests it. */
static int judge(struct tailnet *c, struct view text, coord_policy_failure_fn fn, void *ctx,
	struct policy_plan **ret, struct err_at *at)
{
	int rc = compile_plan(c, text, ret, at);

	if (rc < 0)
		return rc;
	rc = policy_test(*ret, fn ? fn : no_failure, ctx);
	if (rc != 0)
		policy_plan_free(*ret);
	return rc > 0 ? COORD_POLICY_TESTS_FAILED : rc;
}

int coord_policy_check(struct tailnet *c, struct view text, coord_policy_failure_fn fn, void *ctx,
	struct err_at *at)
{
	struct policy_plan *plan;
	int rc = judge(c, text, fn, ctx, &plan, at);

	if (rc == 0)
		policy_plan_free(plan);
	return rc;
}

int coord_policy_set(struct tailnet *c, struct view text, const char *author, int64_t if_version,
	struct now now, coord_policy_failure_fn fn, void *ctx, struct err_at *at)
{
	const struct version *present = version_running(c);
	struct policy_plan *plan;
	int rc;

	if (if_version != COORD_POLICY_ANY_VERSION && if_version != (present ? present->v.id : 0)) {
		err_at_set(at, 0, 0, "the policy was changed meanwhile: version %lld runs",
			(long long)(present ? present->v.id : 0));
		return -ERR_CONFLICT;
	}
	rc = judge(c, text, fn, ctx, &plan, at);
	if (rc != 0)
		return rc;
	if (present && view_eq(present->text, text)) {
		policy_plan_free(plan);
		return 0; /* it runs already */
	}
	rc = version_store(c, text, author, now);
	if (rc < 0) {
		policy_plan_free(plan);
		return rc;
	}
	return map_news_install(c, plan, text.len == 0, now);
}

int policy_apply(struct tailnet *c, const struct coord_policy_doc *doc, struct now now)
{
	const struct version *present = version_running(c);
	struct view text = view_of(doc->text, doc->text ? strlen(doc->text) : 0);
	struct policy_plan *plan;
	struct err_at at;
	int rc;

	if (present && doc->id <= present->v.id)
		return -ERR_CONFLICT; /* versions do not change */
	rc = compile_plan(c, text, &plan, &at);
	if (rc < 0)
		return rc;
	rc = version_load(c, doc);
	if (rc < 0) {
		policy_plan_free(plan);
		return rc;
	}
	return map_news_install(c, plan, text.len == 0, now);
}

int coord_policy_preview(struct tailnet *c, struct view text,
	void (*fn)(void *ctx, const struct policy_change *ch), void *ctx, struct err_at *at)
{
	struct policy_plan *plan;
	int rc = compile_plan(c, text, &plan, at);

	if (rc < 0)
		return rc;
	rc = policy_preview(policy_installed(c->policy), plan, fn, ctx);
	policy_plan_free(plan);
	return rc;
}

int coord_policy_rules(struct tailnet *c, struct view text, int64_t user, struct ipaddr dst,
	uint16_t port, policy_rule_fn fn, void *ctx, struct err_at *at)
{
	struct policy_plan *plan;
	int rc = compile_plan(c, text, &plan, at);

	if (rc < 0)
		return rc;
	policy_rules_about(plan, user, dst, port, fn, ctx);
	policy_plan_free(plan);
	return 0;
}

void coord_policy_stats(const struct tailnet *c, struct policy_stats *ret)
{
	policy_stats(policy_installed(c->policy), ret);
}
