#include "proto/names/url.h"

#include "base/text/text.h"
#include "proto/names/names.h"

/* Labels of letters, digits, '-' and, as some systems have them, '_'. A dot at the end does not count. */
bool url_host_is_name(const char *s)
{
	size_t len = strlen(s), label = 0;

	if (len && s[len - 1] == '.')
		len--;
	if (!len || len > HOST_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		char ch = ascii_lower(s[i]);

		if (ch == '.' ? !label
			      : !(ch >= 'a' && ch <= 'z') && !(ch >= '0' && ch <= '9') &&
					ch != '-' && ch != '_')
			return false;
		label = ch == '.' ? 0 : label + 1;
		if (label > NAME_LABEL_MAX)
			return false;
	}
	return label > 0;
}

bool url_host_is_ip(const char *s, int family)
{
	struct ipaddr a;

	return ipaddr_parse(s, strlen(s), &a) == 0 && (!family || a.family == family);
}

bool url_host_is_sound(const char *host)
{
	return host && (url_host_is_ip(host, 0) || url_host_is_name(host));
}

/* host, host:port, [ipv6] or [ipv6]:port. *ret_rest is where a port would begin. */
static int take_host(const char *at, size_t len, struct url *u, const char **ret_rest)
{
	const char *end = at[0] == '[' ? memchr(at, ']', len) : memchr(at, ':', len);
	size_t n = end ? (size_t)(end - at) : len;

	if (at[0] == '[') {
		if (!end || ipaddr_parse(at + 1, n - 1, &u->ip) < 0 || u->ip.family != 6)
			return -ERR_BAD_VALUE;
		ipaddr_format(u->ip, u->host);
		*ret_rest = end + 1;
		return 0;
	}
	if (!n || n >= sizeof(u->host))
		return -ERR_BAD_VALUE;
	memcpy(u->host, at, n);
	u->host[n] = 0;
	*ret_rest = at + n;
	if (ipaddr_parse(u->host, n, &u->ip) < 0)
		u->ip = (struct ipaddr){ 0 };
	return url_host_is_sound(u->host) ? 0 : -ERR_BAD_VALUE;
}

int url_parse(const char *text, struct url *ret, const char **ret_path)
{
	struct url u = { .https = !strncmp(text, "https://", 8) };
	const char *at = text + (u.https ? 8 : 7), *rest;
	size_t len;
	uint64_t port = u.https ? 443 : 80;

	if (!u.https && strncmp(text, "http://", 7) != 0)
		return -ERR_BAD_VALUE;
	len = strcspn(at, "/?#");
	if (!len || take_host(at, len, &u, &rest) < 0)
		return -ERR_BAD_VALUE;
	u.port_given = rest < at + len;
	if (u.port_given &&
		(*rest != ':' ||
			text_u64(rest + 1, (size_t)(at + len - rest - 1), UINT16_MAX, &port) < 0 ||
			!port))
		return -ERR_BAD_VALUE;
	u.port = (uint16_t)port;
	*ret = u;
	*ret_path = at + len;
	return 0;
}

bool url_is_sound(const char *url)
{
	size_t len = url ? strlen(url) : 0;
	const char *path;
	struct url u;

	if (!len || len > URL_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (url[i] <= ' ' || url[i] > '~' || strchr("\"<>\\^`{|}", url[i]))
			return false;
	return url_parse(url, &u, &path) == 0;
}
