/* Which subnet routes are taken, where not all are. */
#include "proto/ipn/ipn.h"
#include "proto/names/names.h"

#include <string.h>
#include <strings.h>

/* One of the list, in parts; views into the text. */
struct choice {
	struct view router;     /* empty: any */
	struct ipprefix prefix; /* unset: all of the router's */
};

/* "192.168.1.0/24", "nas:*" or "nas:192.168.1.0/24". An IPv6 prefix has colons, too, so it is tried first. */
static int parse(const char *text, struct choice *ret)
{
	size_t len = strlen(text), name = strcspn(text, ":");

	*ret = (struct choice){ 0 };
	if (ipprefix_parse(text, len, &ret->prefix) == 0)
		return 0;
	ret->router = view_of(text, name);
	if (name == len || !name_is_label(ret->router))
		return -ERR_BAD_VALUE;
	return !strcmp(text + name + 1, "*")
		       ? 0
		       : ipprefix_parse(text + name + 1, len - name - 1, &ret->prefix);
}

int ipn_check_accepted(const struct json_list *accepted, struct err_at *at)
{
	struct choice c;

	if (accepted->n > IPN_ACCEPTED_MAX) {
		err_at_set(at, 0, 0, "--accept-routes takes at most %d networks", IPN_ACCEPTED_MAX);
		return -ERR_TOO_MANY;
	}
	for (size_t i = 0; i < accepted->n; i++) {
		const char *text = *JSON_AT(*accepted, const char *, i);

		if (text && parse(text, &c) == 0)
			continue;
		err_at_set(at, 0, 0,
			"--accept-routes: \"%.100s\" is neither a network (192.168.1.0/24) nor all of a router (nas:*) nor both (nas:192.168.1.0/24)",
			text ? text : "");
		return -ERR_BAD_VALUE;
	}
	return 0;
}

static bool is_router(struct view name, const char *full)
{
	return full && strcspn(full, ".") == name.len &&
	       strncasecmp(full, (const char *)name.p, name.len) == 0;
}

bool ipn_accepts(const struct json_list *accepted, const char *router, struct ipprefix route)
{
	struct choice c;

	for (size_t i = 0; i < accepted->n; i++)
		if (parse(*JSON_AT(*accepted, const char *, i), &c) == 0 &&
			(!c.router.len || is_router(c.router, router)) &&
			(!ipaddr_is_set(c.prefix.ip) ||
				(route.bits >= c.prefix.bits &&
					ipprefix_contains(c.prefix, route.ip))))
			return true;
	return accepted->n == 0;
}
