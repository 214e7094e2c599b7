/* A policy's text becomes a plan. */
#include "core/coord/policy_sync/internal.h"
#include "base/text/text.h"

int compile_plan(struct tailnet *c, struct view text, struct policy_plan **ret, struct err_at *at)
{
	struct policy_doc *doc;
	int rc;

	if (text.len > COORD_POLICY_TEXT_MAX) {
		err_at_set(
			at, 1, 1, "the policy is larger than %d MiB", COORD_POLICY_TEXT_MAX >> 20);
		return -ERR_TOO_BIG;
	}
	if (text.len && (!text_is_utf8(text.p, text.len) || memchr(text.p, 0, text.len))) {
		err_at_set(at, 1, 1, "the policy is not text in UTF-8");
		return -ERR_BAD_FORMAT;
	}
	rc = policy_doc_parse(&doc, text.p, text.len, at);
	return rc < 0 ? rc : policy_plan_new(ret, c->policy, doc, POLICY_NEW, at);
}
