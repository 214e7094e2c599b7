/* The settings of a device that others have to take: tags, its name, the routes that it offers. */
#include "base/text/text.h"
#include "proto/tailcfg/tailcfg.h"

static bool is_letter(char c)
{
	return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}

int tc_check_tag(const char *tag, struct err_at *at)
{
	const char *fault = NULL;

	if (strncmp(tag, "tag:", 4) != 0)
		fault = "tags must start with 'tag:'";
	else if (!tag[4])
		fault = "tag names must not be empty";
	else if (!is_letter(tag[4]))
		fault = "tag names must start with a letter, after 'tag:'";
	for (const char *p = tag + 4; !fault && *p; p++)
		if (!is_letter(*p) && !(*p >= '0' && *p <= '9') && *p != '-')
			fault = "tag names can only contain numbers, letters, or dashes";
	if (fault) {
		err_at_set(at, 0, 0, "%s", fault);
		return -ERR_BAD_VALUE;
	}
	if (strlen(tag) <= TC_TAG_LEN_MAX)
		return 0;
	err_at_set(at, 0, 0, "tags can have at most %d characters", TC_TAG_LEN_MAX);
	return -ERR_TOO_BIG;
}

int tc_check_tags(const struct json_list *tags, struct err_at *at)
{
	struct err_at why = { 0 };

	for (size_t i = 0; i < tags->n; i++) {
		const char *t = *JSON_AT(*tags, const char *, i);
		int rc = tc_check_tag(t ? t : "", &why);

		if (rc < 0) {
			err_at_set(at, 0, 0, "tag: \"%.80s\": %s", t ? t : "", why.text);
			return rc;
		}
	}
	if (tags->n <= TC_TAGS_MAX)
		return 0;
	err_at_set(at, 0, 0, "%zu tags are too many; a device can have at most %d", tags->n,
		TC_TAGS_MAX);
	return -ERR_TOO_MANY;
}

int tc_check_hostname(const char *name, struct err_at *at)
{
	size_t len = name ? strlen(name) : 0;

	if (len > TC_HOSTNAME_MAX) {
		err_at_set(at, 0, 0, "hostname too long: %zu bytes (max %d)", len, TC_HOSTNAME_MAX);
		return -ERR_TOO_BIG;
	}
	for (size_t i = 0; i < len; i++)
		if ((uint8_t)name[i] < 0x20 || name[i] == 0x7f) {
			err_at_set(at, 0, 0, "a hostname cannot contain control characters");
			return -ERR_BAD_VALUE;
		}
	if (!len || text_is_utf8(name, len))
		return 0;
	err_at_set(at, 0, 0, "the hostname is not valid UTF-8");
	return -ERR_BAD_VALUE;
}

int tc_check_routes(const struct json_list *routes, struct err_at *at)
{
	if (routes->n > TC_ADVERTISED_MAX) {
		err_at_set(at, 0, 0, "%zu routes are too many; a device can advertise at most %d",
			routes->n, TC_ADVERTISED_MAX);
		return -ERR_TOO_MANY;
	}
	for (size_t i = 0; i < routes->n; i++) {
		struct ipprefix r = *JSON_AT(*routes, struct ipprefix, i), m = ipprefix_masked(r);
		char is[IPPREFIX_TEXT_MAX], ought[IPPREFIX_TEXT_MAX];

		if (r.ip.family && ipprefix_eq(r, m))
			continue;
		if (r.ip.family)
			err_at_set(at, 0, 0, "route %s has non-address bits set; expected %s",
				ipprefix_format(r, is), ipprefix_format(m, ought));
		else
			err_at_set(at, 0, 0, "a route cannot be empty");
		return -ERR_BAD_VALUE;
	}
	return 0;
}
