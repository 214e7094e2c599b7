/* What a request says: its method, its parameters, what it may do. */
#include "base/text/text.h"
#include "localapi/server/shares.h"

bool lreq_is(const struct lreq *r, const char *method)
{
	return http1_method_is(r->head, method);
}

bool lreq_may_write(const struct lreq *r)
{
	return share_is_trusted(
		r->conn); /* now, not when the connection began: the operator may have changed */
}

const char *lreq_param(const struct lreq *r, const char *name)
{
	struct view v = http1_query(r->head, name);
	struct view type = http1_find(r->head, "Content-Type");
	static const char form[] = "application/x-www-form-urlencoded";
	char *out;

	if (text_ieq((const char *)type.p, MIN_OF(type.len, sizeof(form) - 1), form,
		    sizeof(form) - 1))
		(void)http1_form(r->body, name, &v);
	out = arena_alloc(r->arena, v.len + 1);
	return out && http1_unescape(v, true, out, v.len + 1) == 0 ? out : "";
}
