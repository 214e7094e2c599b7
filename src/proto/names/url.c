#include "proto/names/url.h"

#include "base/netip/netip.h"
#include "base/text/text.h"
#include "proto/names/names.h"

/* Labels of letters, digits, '-' and, as some systems have them, '_'. A dot at the end does not count. */
bool host_is_name(const char *s)
{
	size_t len = strlen(s), label = 0;

	if (len && s[len - 1] == '.')
		len--;
	if (!len || len > HOST_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		char ch = ascii_lower(s[i]);

		if (ch == '.' ? !label : !(ch >= 'a' && ch <= 'z') && !(ch >= '0' && ch <= '9') && ch != '-' && ch != '_')
			return false;
		label = ch == '.' ? 0 : label + 1;
		if (label > NAME_LABEL_MAX)
			return false;
	}
	return label > 0;
}

bool host_is_ip(const char *s, int family)
{
	struct ipaddr a;

	return ipaddr_parse(s, strlen(s), &a) == 0 && (!family || a.family == family);
}

bool host_is_sound(const char *host)
{
	return host && (host_is_ip(host, 0) || host_is_name(host));
}

/* "host", "host:port", "[::1]:port" */
static bool authority_is_sound(const char *s, size_t len)
{
	char host[HOST_MAX + 16], *colon;
	uint64_t port;

	if (!len || len >= sizeof(host))
		return false;
	memcpy(host, s, len);
	host[len] = 0;
	colon = strrchr(host, ':');
	if (colon && !strchr(colon, ']')) {
		if (text_u64(colon + 1, strlen(colon + 1), UINT16_MAX, &port) < 0)
			return false;
		*colon = 0;
	}
	if (host[0] != '[')
		return !strchr(host, ':') && host_is_sound(host);
	len = strlen(host);
	if (host[len - 1] != ']')
		return false;
	host[len - 1] = 0;
	return host_is_ip(host + 1, 6);
}

bool url_is_sound(const char *url)
{
	size_t len = url ? strlen(url) : 0, head = 0;

	if (!len || len > URL_MAX)
		return false;
	if (!strncmp(url, "https://", 8))
		head = 8;
	else if (!strncmp(url, "http://", 7))
		head = 7;
	for (size_t i = 0; i < len; i++)
		if (url[i] <= ' ' || url[i] > '~' || strchr("\"<>\\^`{|}", url[i]))
			return false;
	return head && authority_is_sound(url + head, strcspn(url + head, "/?#"));
}
