/* The record of changes. */
#include "hub/admin/internal.h"
#include "hub/audit/audit.h"

enum { BY_DEFAULT = 50 };

int admin_audit(struct http_request *q)
{
	struct admin_call *c = q->call;
	struct audit_filter f = { .below = c->req.below,
		.since = c->req.since,
		.text = c->req.text,
		.limit = c->req.limit > 0 ? (size_t)MIN_OF(c->req.limit, (int64_t)AUDIT_PAGE_MAX)
					  : BY_DEFAULT };
	struct admin_audit page;
	int rc = audit_list(c->hub->audit, &f, c->mem, &page.entries, &page.next);

	return rc < 0 ? rc : admin_reply(c, &admin_audit_type, &page);
}
