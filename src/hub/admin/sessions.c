/* Browsers that are logged in. */
#include "hub/admin/internal.h"
#include "hub/auth/auth.h"

#include <errno.h>

static bool is_over(const struct admin_call *c, const struct hub_login *l)
{
	return l->expires <= c->now.mono || !login_rights(c->hub, l);
}

int admin_sessions(struct http_request *q)
{
	struct admin_call *c = q->call;
	struct admin_session *v = arena_array(c->mem, HUB_LOGINS_MAX, sizeof(*v));
	struct json_list list;
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < HUB_LOGINS_MAX; i++) {
		const struct hub_login *l = &c->hub->login[i];
		const struct coord_user *u = login_user(c->hub, l);

		if (is_over(c, l))
			continue;
		v[n++] = (struct admin_session){ .id = l->id,
			.user = u ? u->name : NULL,
			.role = !u                    ? "owner"
				: u->role && *u->role ? u->role
						      : "member",
			.created = l->created,
			.expires = l->created + HUB_LOGIN_LIFE / MSEC(1) };
	}
	list = json_list_of(v, n);
	return admin_reply(c, &admin_session_list, &list);
}

/* Whoever has more rights is not logged out by who has less. */
int admin_session_end(struct http_request *q)
{
	struct admin_call *c = q->call;

	for (size_t i = 0; i < HUB_LOGINS_MAX; i++) {
		struct hub_login *l = &c->hub->login[i];

		if (l->id != c->id || is_over(c, l))
			continue;
		if (login_rights(c->hub, l) & ~q->who.rights)
			return admin_say(c, -ERR_DENIED,
				"this is a session of somebody with more rights than yours");
		login_end(l);
		return admin_ok(c);
	}
	return admin_say(c, -ENOENT, "no session %lld; \"warren-hub sessions list\" shows all",
		(long long)c->id);
}
