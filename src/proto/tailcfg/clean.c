#include "proto/tailcfg/clean.h"

#include "base/text/plain.h"
#include "base/text/text.h"

#include <errno.h>

/* Beside what no text should show: marks that change a character or nothing at all, and in a name only hide a difference. */
static bool has_no_shape(uint32_t c)
{
	return (c >= 0x200b && c <= 0x200f) || (c >= 0xfe00 && c <= 0xfe0f) || c == 0x34f ||
	       c == 0x115f || c == 0x1160 || c == 0x17b4 || c == 0x17b5 ||
	       (c >= 0x180b && c <= 0x180f) || c == 0x3164 || c == 0xffa0 ||
	       (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

/* How many bytes are left. */
static size_t strip(char *s, size_t len)
{
	size_t out = 0;

	for (size_t i = 0; i < len;) {
		uint32_t c;
		int n = text_rune(s + i, len - i, &c);

		if (n > 0 && text_rune_shows(c) && !has_no_shape(c)) {
			memmove(s + out, s + i, (size_t)n);
			out += (size_t)n;
		}
		i += n > 0 ? (size_t)n : 1;
	}
	return out;
}

/* The most of it that ends with a whole character. */
static size_t fit(const char *s, size_t len, size_t max)
{
	if (len <= max)
		return len;
	while (max && ((uint8_t)s[max] & 0xc0) == 0x80)
		max--;
	return max;
}

static bool is_ascii(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] < 0x20 || s[i] > 0x7e)
			return false;
	return true;
}

int tc_text_clean(const char **s, size_t max, struct arena *a, struct tc_cleaned *ret)
{
	size_t len = *s ? strlen(*s) : 0, left;
	char *copy;

	if (len <= max && is_ascii(*s, len))
		return 0;
	copy = arena_strndup(a, *s, len);
	if (!copy)
		return -ENOMEM;
	left = strip(copy, len);
	ret->texts += left < len;
	ret->parts += left > max;
	copy[fit(copy, left, max)] = 0;
	*s = copy;
	return 0;
}

static int clean_texts(struct tc_hostinfo *h, struct arena *a, struct tc_cleaned *ret)
{
	const struct {
		const char **s;
		size_t max;
	} texts[] = {
		{ &h->ipn_version, TC_TEXT_MAX },
		{ &h->frontend_log_id, TC_TEXT_MAX },
		{ &h->backend_log_id, TC_TEXT_MAX },
		{ &h->os, TC_WORD_MAX },
		{ &h->os_version, TC_TEXT_MAX },
		{ &h->env, TC_WORD_MAX },
		{ &h->distro, TC_WORD_MAX },
		{ &h->distro_version, TC_WORD_MAX },
		{ &h->distro_codename, TC_WORD_MAX },
		{ &h->app, TC_TEXT_MAX },
		{ &h->package, TC_TEXT_MAX },
		{ &h->device_model, TC_TEXT_MAX },
		{ &h->push_device_token, TC_TOKEN_MAX },
		{ &h->machine, TC_WORD_MAX },
		{ &h->go_arch, TC_WORD_MAX },
		{ &h->go_arch_var, TC_WORD_MAX },
		{ &h->go_version, TC_TEXT_MAX },
		{ &h->cloud, TC_WORD_MAX },
		{ &h->services_hash, TC_TEXT_MAX },
		{ &h->exit_node_id, TC_WORD_MAX },
	};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(texts) && rc == 0; i++)
		rc = tc_text_clean(texts[i].s, texts[i].max, a, ret);
	return rc;
}

static bool is_service(void *ctx, void *item)
{
	static const char *const known[] = { "tcp", "udp", "peerapi4", "peerapi6",
		"peerapi-dns-proxy" };
	const struct tc_service *s = item;

	for (size_t i = 0; s->proto && i < ARRAY_LEN(known); i++)
		if (!strcmp(s->proto, known[i]))
			return s->port > 0 && s->port <= UINT16_MAX;
	return false;
}

static bool is_mac(void *ctx, void *item)
{
	const char *s = *(const char *const *)item;

	if (!s || strlen(s) != 17)
		return false;
	for (size_t i = 0; i < 17; i++)
		if (i % 3 == 2 ? s[i] != ':' : !strchr("0123456789abcdef", ascii_lower(s[i])))
			return false;
	return true;
}

/* "TYPE BASE64", as in authorized_keys: clients write it into files where another line would be another host's key. */
static bool is_ssh_key(void *ctx, void *item)
{
	const char *s = *(const char *const *)item;
	size_t type = s ? strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789@.-") : 0, body;

	if (!type || s[type] != ' ' || strlen(s) > TC_SSH_KEY_LEN_MAX)
		return false;
	body = strspn(
		s + type + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=");
	return body && is_ascii(s, strlen(s)) && (!s[type + 1 + body] || s[type + 1 + body] == ' ');
}

static bool is_route(void *ctx, void *item)
{
	return ((const struct ipprefix *)item)->ip.family != 0;
}

/* Also within what all of them may have together. */
static bool ssh_key_fits(void *left, void *item)
{
	size_t len;

	if (!is_ssh_key(NULL, item))
		return false;
	len = strlen(*(const char *const *)item);
	if (len > *(size_t *)left)
		return false;
	*(size_t *)left -= len;
	return true;
}

static int clean_lists(struct tc_hostinfo *h, struct arena *a, struct tc_cleaned *ret)
{
	size_t left = TC_SSH_KEYS_BYTES_MAX;
	int rc = 0;

	ret->parts += json_list_keep(
		&h->services, sizeof(struct tc_service), TC_SERVICES_MAX, is_service, NULL);
	ret->parts += json_list_keep(&h->wol_macs, sizeof(char *), TC_MACS_MAX, is_mac, NULL);
	ret->parts +=
		json_list_keep(&h->routable_ips, sizeof(struct ipprefix), SIZE_MAX, is_route, NULL);
	ret->parts += json_list_keep(
		&h->ssh_host_keys, sizeof(char *), TC_SSH_KEYS_MAX, ssh_key_fits, &left);
	for (size_t i = 0; i < h->services.n && rc == 0; i++)
		rc = tc_text_clean(&JSON_AT(h->services, struct tc_service, i)->description,
			TC_WORD_MAX, a, ret);
	return rc;
}

/* "12-v4": of each the last word, as a map of Go's has it. */
static void clean_latencies(struct json_map *m, struct tc_cleaned *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++) {
		const char *key = m->v[i].key;
		double at = *(const double *)m->v[i].value;
		size_t k = 0, len = strlen(key);

		if (!len || len > TC_WORD_MAX || !is_ascii(key, len) || !(at >= 0 && at < 1e6))
			continue;
		while (k < n && strcmp(m->v[k].key, key) != 0)
			k++;
		if (k < TC_LATENCIES_MAX)
			m->v[k] = m->v[i];
		n += k == n && n < TC_LATENCIES_MAX;
	}
	ret->parts += m->n - n;
	m->n = n;
}

static int clean_netinfo(struct tc_netinfo *n, struct arena *a, struct tc_cleaned *ret)
{
	int rc = tc_text_clean(&n->link_type, TC_WORD_MAX, a, ret);

	if (rc == 0)
		rc = tc_text_clean(&n->firewall_mode, TC_WORD_MAX, a, ret);
	clean_latencies(&n->derp_latency, ret);
	return rc;
}

/* Letters, digits and dashes, or it is none. */
static void clean_code(const char **s, size_t min, size_t max, struct tc_cleaned *ret)
{
	size_t len = *s ? strlen(*s) : 0;

	if (!len ||
		(len >= min && len <= max &&
			strspn(*s,
				"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") ==
				len))
		return;
	*s = NULL;
	ret->parts++;
}

static void clean_degrees(double *at, double max, struct tc_cleaned *ret)
{
	if (*at >= -max && *at <= max)
		return;
	*at = 0;
	ret->parts++;
}

static int clean_location(struct tc_location *l, struct arena *a, struct tc_cleaned *ret)
{
	int rc = tc_text_clean(&l->country, TC_WORD_MAX, a, ret);

	if (rc == 0)
		rc = tc_text_clean(&l->city, TC_WORD_MAX, a, ret);
	clean_code(&l->country_code, 2, 2, ret);
	clean_code(&l->city_code, 1, 16, ret);
	clean_degrees(&l->latitude, 90, ret);
	clean_degrees(&l->longitude, 180, ret);
	return rc;
}

static int clean_tpm(struct tc_tpm *t, struct arena *a, struct tc_cleaned *ret)
{
	int rc = tc_text_clean(&t->manufacturer, TC_WORD_MAX, a, ret);

	if (rc == 0)
		rc = tc_text_clean(&t->vendor, TC_WORD_MAX, a, ret);
	return rc < 0 ? rc : tc_text_clean(&t->family, TC_WORD_MAX, a, ret);
}

int tc_hostinfo_clean(struct tc_hostinfo *h, struct arena *a, struct tc_cleaned *ret)
{
	int rc = clean_texts(h, a, ret);

	if (rc == 0 && tc_check_hostname(h->hostname, NULL) == 0)
		rc = tc_text_clean(&h->hostname, TC_HOSTNAME_MAX, a, ret);
	if (rc == 0)
		rc = clean_lists(h, a, ret);
	if (rc == 0 && h->netinfo)
		rc = clean_netinfo(h->netinfo, a, ret);
	if (rc == 0 && h->location)
		rc = clean_location(h->location, a, ret);
	return rc == 0 && h->tpm ? clean_tpm(h->tpm, a, ret) : rc;
}

static bool is_place(struct ipport e)
{
	return e.ip.family && e.port && !(e.ip.family == 6 && ipaddr_is_link_local(e.ip)) &&
	       !ipaddr_is_multicast(e.ip) && !ipaddr_is_unspecified(e.ip) &&
	       !(e.ip.family == 4 && load_be32(e.ip.b) == UINT32_MAX);
}

void tc_endpoints_clean(struct json_list *l, struct tc_cleaned *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n && n < TC_ENDPOINTS_MAX; i++) {
		struct ipport e = *JSON_AT(*l, struct ipport, i);
		size_t k = 0;

		while (k < n && !ipport_eq(*JSON_AT(*l, struct ipport, k), e))
			k++;
		if (k == n && is_place(e))
			*JSON_AT(*l, struct ipport, n++) = e;
	}
	ret->parts += l->n - n;
	l->n = n;
}

/* Where file drop and its like are reached: of each kind the last one, which is the one that clients take. */
static int services_for_peers(const struct json_list *own, struct arena *a, struct json_list *ret)
{
	for (size_t i = own->n; i-- > 0;) {
		const struct tc_service *s = JSON_AT(*own, struct tc_service, i);
		struct tc_service *to;
		size_t k = 0;

		if (strncmp(s->proto, "peerapi", 7) != 0)
			continue;
		while (k < ret->n &&
			strcmp(JSON_AT(*ret, struct tc_service, k)->proto, s->proto) != 0)
			k++;
		if (k < ret->n)
			continue;
		to = json_list_add(ret, a, sizeof(*to));
		if (!to)
			return -ENOMEM;
		*to = *s;
	}
	return 0;
}

struct tc_hostinfo *tc_hostinfo_for_peers(const struct tc_hostinfo *own, struct arena *a)
{
	struct tc_hostinfo *h = arena_new(a, struct tc_hostinfo);

	if (!h || !own)
		return h;
	h->os = own->os;
	h->hostname = own->hostname;
	h->ssh_host_keys = own->ssh_host_keys;
	h->location = own->location;
	return services_for_peers(&own->services, a, &h->services) < 0 ? NULL : h;
}
