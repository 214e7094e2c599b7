/*
 * What a device asks for and cannot have: too long a name, tags that are none, too many routes. The device stays as it is, the
 * setting is left out, and the reason is told to the device, to the log and in the counters.
 */
#include "core/coord/intake/internal.h"

#include <errno.h>

enum { REASONS_MAX = 640 };

static void add_reason(char out[static REASONS_MAX], const char *why)
{
	size_t len = strlen(out);

	snprintf(out + len, REASONS_MAX - len, "%s%s", len ? "; " : "", why);
}

/* Leaves out of h what is refused; in its place stays what of before there is. */
static void trim(
	struct tc_hostinfo *h, const struct coord_node_doc *before, char out[static REASONS_MAX])
{
	struct err_at why;

	out[0] = 0;
	if (tc_check_hostname(h->hostname, &why) < 0) {
		add_reason(out, why.text);
		h->hostname = before->hostname;
	}
	if (tc_check_tags(&h->request_tags, &why) < 0) {
		add_reason(out, why.text);
		h->request_tags = (struct json_list){ 0 };
	}
	if (h->routable_ips.n > COORD_ROUTES_MAX) {
		snprintf(why.text, sizeof(why.text),
			"%zu routes are too many; only the first %d are looked at",
			h->routable_ips.n, COORD_ROUTES_MAX);
		add_reason(out, why.text);
		h->routable_ips.n = COORD_ROUTES_MAX;
	}
}

int settings_take(struct tailnet *c, struct coord_node *n, struct tc_hostinfo *h, struct now now)
{
	char reasons[REASONS_MAX], *copy = NULL;

	trim(h, &n->doc, reasons);
	if (strcmp(reasons, n->refused ? n->refused : "") == 0)
		return 0;
	if (reasons[0] && !(copy = strdup(reasons)))
		return -ENOMEM;
	free(n->refused);
	n->refused = copy;
	tailnet_note(c, n, NEWS_HEALTH, now);
	if (!copy)
		return 0;
	c->stats.settings_refused++;
	tailnet_tell_refusal(c, "a setting of a device is refused", n->doc.name, reasons);
	return 0;
}

int settings_check(const struct tc_hostinfo *h, struct err_at *why)
{
	int rc = tc_check_hostname(h->hostname, why);

	if (rc == 0)
		rc = tc_check_tags(&h->request_tags, why);
	if (rc < 0 || h->routable_ips.n <= COORD_ROUTES_MAX)
		return rc;
	err_at_set(why, 0, 0, "%zu routes are too many; a device can advertise at most %d",
		h->routable_ips.n, COORD_ROUTES_MAX);
	return -ERR_TOO_MANY;
}
