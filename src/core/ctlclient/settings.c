/*
 * A hub that knows a device may still refuse what it asks for. Then it is asked again with less, until it says yes; the device
 * stays connected with that, and the owner hears what the hub said:
 *
 *	all --refused--> without tags --refused--> with a plain name --refused--> without routes --refused--> it is not the settings
 *
 * When the settings change, all of them are asked for again.
 */
#include "core/ctlclient/internal.h"
#include "proto/names/names.h"

#include <stdio.h>

enum { LESS_TAGS = 1, LESS_NAME, LESS_ROUTES };

void settings_leave_out(
	const struct ctlclient *c, struct tc_map_request *m, struct settings_copy *copy)
{
	struct tc_hostinfo *h = &copy->host;
	const char *name;

	if (!c->less || !m->hostinfo)
		return;
	*h = *m->hostinfo;
	name = h->hostname ? h->hostname : "";
	h->request_tags = (struct json_list){ 0 };
	if (c->less >= LESS_NAME) {
		name_sanitize_hostname(view_of(name, strlen(name)), copy->name);
		h->hostname = copy->name;
	}
	if (c->less >= LESS_ROUTES)
		h->routable_ips = (struct json_list){ 0 };
	m->hostinfo = h;
}

/* The first line of what the hub said, for people. */
static void keep_reason(struct ctlclient *c, struct view why)
{
	size_t n = 0;

	while (n < why.len && n < sizeof(c->refusal) - 1 && why.p[n] != '\n') {
		c->refusal[n] = why.p[n] < 0x20 || why.p[n] == 0x7f ? ' ' : (char)why.p[n];
		n++;
	}
	c->refusal[n] = 0;
}

bool settings_try_less(struct ctlclient *c, const struct call *call, struct view why)
{
	if (!c->registered || !key_is_zero(c->trial.b) || c->logout)
		return false; /* a login is refused as a whole */
	if (call->less < c->less)
		return true; /* it was under way when another one was refused */
	if (call->less > c->less)
		return false;
	if (c->less == LESS_ROUTES) {
		c->less = 0;
		return false;
	}
	if (c->less++ == 0)
		keep_reason(c, why);
	return true;
}

void settings_taken(struct ctlclient *c, bool all_told)
{
	if (!c->ops->on_refused || c->refusal_told == (c->less > 0) || (!c->less && !all_told))
		return;
	c->refusal_told = c->less > 0;
	c->ops->on_refused(c->owner, c->less ? c->refusal : NULL);
}

void ctlclient_settings_changed(struct ctlclient *c)
{
	c->less = 0;
}
