
#include "hub/control/control.h"
#include <stdio.h>
#include <strings.h>

int former_read(struct hub *h, struct err_at *at)
{
	char list[2048], *rest = list, *text;

	if (!h->o->also_url)
		return 0;
	if (snprintf(list, sizeof(list), "%s", h->o->also_url) >= (int)sizeof(list)) {
		err_at_set(at, 0, 0, "--also-url: too long");
		return -ERR_BAD_VALUE;
	}
	while ((text = strsep(&rest, ","))) {
		if (h->n_former == HUB_FORMER_MAX ||
			hub_url_parse(text, &h->former[h->n_former]) < 0) {
			err_at_set(at, 0, 0,
				"--also-url %s: write up to %d as http://HOST:PORT or https://HOST, with commas between",
				text, HUB_FORMER_MAX);
			return -ERR_BAD_VALUE;
		}
		h->n_former++;
	}
	for (const char *s = h->url_text; *s; s++)
		if (*s <= ' ' || *s > '~' || *s == '"' || *s == '\\') {
			err_at_set(at, 0, 0,
				"--url %s: with --also-url it may only have plain characters",
				h->url_text);
			return -ERR_BAD_VALUE;
		}
	return 0;
}

/* By host and port: whether it was http or https a request behind a proxy does not say. */
static bool came_by(const struct url *u, struct view host)
{
	char text[300];
	struct url is;

	if (snprintf(text, sizeof(text), "%s://%.*s", u->https ? "https" : "http",
		    (int)MIN_OF(host.len, (size_t)270),
		    (const char *)host.p) >= (int)sizeof(text) ||
		hub_url_parse(text, &is) < 0)
		return false;
	return strcasecmp(is.host, u->host) == 0 && is.port == u->port;
}

const char *former_tells(const struct hub *h, const struct http1_head *head)
{
	struct view host = http1_find(head, "Host");

	for (size_t i = 0; i < h->n_former; i++)
		if (came_by(&h->former[i], host))
			return h->url_text;
	return NULL;
}
