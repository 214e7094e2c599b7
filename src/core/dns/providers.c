/*
 * Public resolvers that are known by their addresses. Whoever is told "9.9.9.9" gets the same answers over HTTPS, and nobody on the way reads or
 * changes them. Source: the providers' own pages; the same list as Tailscale's net/dns/publicdns.
 */
#include "core/dns/internal.h"

struct provider {
	const char *url;
	const char *addrs[4];
};

/* clang-format off */
static const struct provider providers[] = {
	{ "https://cloudflare-dns.com/dns-query",          { "1.1.1.1", "1.0.0.1", "2606:4700:4700::1111", "2606:4700:4700::1001" } },
	{ "https://security.cloudflare-dns.com/dns-query", { "1.1.1.2", "1.0.0.2", "2606:4700:4700::1112", "2606:4700:4700::1002" } },
	{ "https://family.cloudflare-dns.com/dns-query",   { "1.1.1.3", "1.0.0.3", "2606:4700:4700::1113", "2606:4700:4700::1003" } },
	{ "https://dns.google/dns-query",                  { "8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844" } },
	{ "https://dns.quad9.net/dns-query",               { "9.9.9.9", "149.112.112.112", "2620:fe::fe", "2620:fe::9" } },
	{ "https://dns11.quad9.net/dns-query",             { "9.9.9.11", "149.112.112.11", "2620:fe::11", "2620:fe::fe:11" } },
	{ "https://dns10.quad9.net/dns-query",             { "9.9.9.10", "149.112.112.10", "2620:fe::10", "2620:fe::fe:10" } },
	{ "https://dns.mullvad.net/dns-query",             { "194.242.2.2", "2a07:e340::2" } },
	{ "https://adblock.dns.mullvad.net/dns-query",     { "194.242.2.3", "2a07:e340::3" } },
	{ "https://base.dns.mullvad.net/dns-query",        { "194.242.2.4", "2a07:e340::4" } },
	{ "https://extended.dns.mullvad.net/dns-query",    { "194.242.2.5", "2a07:e340::5" } },
	{ "https://family.dns.mullvad.net/dns-query",      { "194.242.2.6", "2a07:e340::6" } },
	{ "https://all.dns.mullvad.net/dns-query",         { "194.242.2.9", "2a07:e340::9" } },
	{ "https://dns.adguard-dns.com/dns-query",         { "94.140.14.14", "94.140.15.15", "2a10:50c0::ad1:ff", "2a10:50c0::ad2:ff" } },
	{ "https://family.adguard-dns.com/dns-query",      { "94.140.14.15", "94.140.15.16", "2a10:50c0::bad1:ff", "2a10:50c0::bad2:ff" } },
	{ "https://unfiltered.adguard-dns.com/dns-query",  { "94.140.14.140", "94.140.14.141", "2a10:50c0::1:ff", "2a10:50c0::2:ff" } },
	{ "https://wikimedia-dns.org/dns-query",           { "185.71.138.138", "2001:67c:930::1" } },
	{ "https://freedns.controld.com/p0",               { "76.76.2.0", "76.76.10.0", "2606:1a40::", "2606:1a40:1::" } },
	{ "https://freedns.controld.com/p1",               { "76.76.2.1", "76.76.10.1", "2606:1a40::1", "2606:1a40:1::1" } },
	{ "https://freedns.controld.com/p2",               { "76.76.2.2", "76.76.10.2", "2606:1a40::2", "2606:1a40:1::2" } },
	{ "https://freedns.controld.com/p3",               { "76.76.2.3", "76.76.10.3", "2606:1a40::3", "2606:1a40:1::3" } },
	{ "https://freedns.controld.com/family",           { "76.76.2.4", "76.76.10.4", "2606:1a40::4", "2606:1a40:1::4" } },
	{ "https://private.canadianshield.cira.ca/dns-query",   { "149.112.121.10", "149.112.122.10", "2620:10a:80bb::10", "2620:10a:80bc::10" } },
	{ "https://protected.canadianshield.cira.ca/dns-query", { "149.112.121.20", "149.112.122.20", "2620:10a:80bb::20", "2620:10a:80bc::20" } },
	{ "https://family.canadianshield.cira.ca/dns-query",    { "149.112.121.30", "149.112.122.30", "2620:10a:80bb::30", "2620:10a:80bc::30" } },
};
/* clang-format on */

#define NEXTDNS "https://dns.nextdns.io/"
#define CONTROLD "https://dns.controld.com/"
enum { NEXTDNS_ID_MAX = 12 }; /* bytes at the end of the address */

static struct ipaddr addr(const char *s)
{
	struct ipaddr a = { 0 };

	CHECK(ipaddr_parse(s, strlen(s), &a) == 0);
	return a;
}

static bool is_one_of(struct ipaddr ip, const char *const *prefixes)
{
	for (; *prefixes; prefixes++) {
		struct ipprefix p;

		CHECK(ipprefix_parse(*prefixes, strlen(*prefixes), &p) == 0);
		if (ipprefix_contains(p, ip))
			return true;
	}
	return false;
}

static bool is_nextdns6(struct ipaddr ip)
{
	static const char *const nets[] = { "2a07:a8c0::/33", "2a07:a8c1::/33", NULL };

	return is_one_of(ip, nets);
}

/* The profile is in the last twelve bytes, zeros before it do not count. */
static void nextdns_url(struct ipaddr ip, char out[static PROVIDER_URL_MAX])
{
	size_t at = 16 - NEXTDNS_ID_MAX, n;

	while (at < 16 && !ip.b[at])
		at++;
	n = (size_t)snprintf(out, PROVIDER_URL_MAX, NEXTDNS);
	for (; at < 16; at++)
		n += (size_t)snprintf(out + n, PROVIDER_URL_MAX - n, "%02x", ip.b[at]);
}

bool provider_url(struct ipaddr ip, char out[static PROVIDER_URL_MAX])
{
	if (is_nextdns6(ip)) {
		nextdns_url(ip, out);
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(providers); i++)
		for (size_t k = 0; k < 4 && providers[i].addrs[k]; k++)
			if (ipaddr_eq(addr(providers[i].addrs[k]), ip)) {
				snprintf(out, PROVIDER_URL_MAX, "%s", providers[i].url);
				return true;
			}
	return false;
}

bool provider_is_https_only(struct ipaddr ip)
{
	static const char *const nets[] = { "45.90.28.0/24", "45.90.30.0/24", "185.71.138.138/32",
		"2001:67c:930::1/128", "2606:1a40::/48", "2606:1a40:1::/48", "76.76.2.22/32",
		"76.76.10.22/32", NULL };

	return is_nextdns6(ip) || is_one_of(ip, nets);
}

/* One hex digit; negative: none. */
static int digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* "dns.nextdns.io/PROFILE" or ".../PROFILE/DEVICE": the anycast addresses, and two that say the profile. */
static size_t nextdns_addresses(const char *id, struct ipaddr ret[static DNS_DIAL_MAX])
{
	size_t len = strcspn(id, "/?");

	if (!len || len > 2 * NEXTDNS_ID_MAX)
		return 0;
	ret[0] = addr("45.90.28.0");
	ret[1] = addr("45.90.30.0");
	ret[2] = addr("2a07:a8c0::");
	ret[3] = addr("2a07:a8c1::");
	for (size_t i = 0; i < len; i++) {
		int v = digit(id[len - 1 - i]);

		if (v < 0)
			return 2; /* no profile that fits into an address */
		ret[2].b[15 - i / 2] |= (uint8_t)(i % 2 ? v << 4 : v);
		ret[3].b[15 - i / 2] = ret[2].b[15 - i / 2];
	}
	return 4;
}

size_t provider_addresses(const char *url, struct ipaddr ret[static DNS_DIAL_MAX])
{
	size_t n = 0;

	if (!strncmp(url, NEXTDNS, sizeof(NEXTDNS) - 1))
		return nextdns_addresses(url + sizeof(NEXTDNS) - 1, ret);
	if (!strncmp(url, CONTROLD, sizeof(CONTROLD) - 1)) {
		ret[0] = addr("76.76.2.22");
		ret[1] = addr("76.76.10.22");
		ret[2] = addr("2606:1a40::22");
		ret[3] = addr("2606:1a40:1::22");
		return 4;
	}
	for (size_t i = 0; i < ARRAY_LEN(providers); i++)
		if (!strcmp(providers[i].url, url))
			for (size_t k = 0; k < 4 && providers[i].addrs[k]; k++)
				ret[n++] = addr(providers[i].addrs[k]);
	return n;
}
