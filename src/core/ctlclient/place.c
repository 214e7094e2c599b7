/* Where a hub is, as a URL says it. */
#include "base/text/text.h"
#include "core/ctlclient/internal.h"
#include "proto/names/url.h"

#include <stdio.h>

/* Ports by the scheme, as Go clients choose them. */
int place_parse(struct place *p, const char *url)
{
	const char *host, *colon;
	uint64_t port = 0;
	size_t len;

	*p = (struct place){ .https = !strncmp(url, "https://", 8) };
	if (!p->https && strncmp(url, "http://", 7) != 0)
		return -ERR_BAD_VALUE;
	host = url + (p->https ? 8 : 7);
	len = strcspn(host, "/");
	if (!len || len >= sizeof(p->host) - 8)
		return -ERR_BAD_VALUE;
	snprintf(p->url, sizeof(p->url), "%.*s", (int)(host - url + (ptrdiff_t)len), url);
	snprintf(p->authority, sizeof(p->authority), "%.*s", (int)len, host);
	colon = strrchr(p->authority, ':');
	if (colon && !strchr(colon, ']')) {
		if (text_u64(colon + 1, strlen(colon + 1), 65535, &port) < 0 || !port)
			return -ERR_BAD_VALUE;
		len = (size_t)(colon - p->authority);
	}
	if (host[0] == '[' && len >= 2 && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	snprintf(p->host, sizeof(p->host), "%.*s", (int)len, host);
	if (!host_is_sound(p->host))
		return -ERR_BAD_VALUE; /* it goes into requests */
	p->plain_port = port && !p->https ? (uint16_t)port : 80;
	p->tls_port = port && p->https ? (uint16_t)port : 443;
	/* A hub at home with a port of its own has nothing on 443 that is meant for us. */
	if (!p->https && port)
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
	if ((n > 1 && !(n == 4 && !memcmp(path, "/key", 4))) || (size_t)(path - location) >= sizeof(url))
		return -ERR_BAD_VALUE;
	snprintf(url, sizeof(url), "%.*s", (int)(path - location), location);
	rc = place_parse(ret, url);
	return rc == 0 && from->https && !ret->https ? -ERR_BAD_VALUE : rc;
}
