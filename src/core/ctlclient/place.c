/* Where a hub is, as a URL says it. */
#include "core/ctlclient/internal.h"
#include "proto/names/url.h"

#include <stdio.h>

/* Ports by the scheme, as Go clients choose them. */
int place_parse(struct place *p, const char *url)
{
	const char *host, *path;
	struct url u;

	*p = (struct place){ 0 };
	if (url_parse(url, &u, &path) < 0)
		return -ERR_BAD_VALUE; /* it goes into requests */
	host = url + (u.https ? 8 : 7);
	if ((size_t)(path - host) >= sizeof(p->authority) ||
		(size_t)(path - url) >= sizeof(p->url) || strlen(u.host) >= sizeof(p->host))
		return -ERR_BAD_VALUE;
	p->https = u.https;
	snprintf(p->url, sizeof(p->url), "%.*s", (int)(path - url), url);
	snprintf(p->authority, sizeof(p->authority), "%.*s", (int)(path - host), host);
	snprintf(p->host, sizeof(p->host), "%s", u.host);
	p->plain_port = u.https ? 80 : u.port;
	p->tls_port = u.https ? u.port : 443;
	/* A hub at home with a port of its own has nothing on 443 that is meant for us. */
	if (!u.https && u.port_given)
		p->tls_port = 0;
	return 0;
}

int place_redirected(const struct place *from, const char *location, struct place *ret)
{
	const char *path = strstr(location, "://");
	char url[CTLCLIENT_URL_MAX];
	size_t n;
	int rc;

	for (const char *s = location; *s; s++)
		if (*s <= ' ' || *s > '~' || strchr("\"\\<>@#", *s))
			return -ERR_BAD_VALUE;
	if (!path)
		return -ERR_BAD_VALUE;
	path += 3;
	path += strcspn(path, "/?");
	n = strcspn(path, "?");
	if ((n > 1 && !(n == 4 && !memcmp(path, "/key", 4))) ||
		(size_t)(path - location) >= sizeof(url))
		return -ERR_BAD_VALUE;
	snprintf(url, sizeof(url), "%.*s", (int)(path - location), location);
	rc = place_parse(ret, url);
	return rc == 0 && from->https && !ret->https ? -ERR_BAD_VALUE : rc;
}
