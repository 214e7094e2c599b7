#include "proto/tsaddr/tsaddr.h"

#include "base/err/err.h"
#include "base/text/text.h"
#include "proto/names/names.h"

#define ULA 0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0

const struct ipprefix tsaddr_cgnat = { { 4, { 100, 64 } }, 10 };
const struct ipprefix tsaddr_chromeos_vm = { { 4, { 100, 115, 92 } }, 23 };
const struct ipprefix tsaddr_ula = { { 6, { ULA } }, 48 };
const struct ipprefix tsaddr_via = { { 6, { ULA, 0x0b, 0x1a } }, 64 };
const struct ipprefix tsaddr_four_to_six = {
	{ 6, { ULA, 0xab, 0x12, 0x48, 0x43, 0xcd, 0x96, 0x62 } }, 104
};
const struct ipprefix tsaddr_ephemeral6 = { { 6, { ULA, 0xef, 0xe3 } }, 64 };
const struct ipaddr tsaddr_service = { 4, { 100, 100, 100, 100 } };
const struct ipaddr tsaddr_service6 = { 6, { ULA, [15] = 0x53 } };
const struct ipaddr tsaddr_derp_magic = { 4, { 127, 3, 3, 40 } };

bool tsaddr_is_tailscale4(struct ipaddr a)
{
	return ipprefix_contains(tsaddr_cgnat, a) && !ipprefix_contains(tsaddr_chromeos_vm, a);
}

bool tsaddr_is_tailscale(struct ipaddr a)
{
	return tsaddr_is_tailscale4(a) || ipprefix_contains(tsaddr_ula, a);
}

int tsaddr_4to6(struct ipaddr v4, struct ipaddr *ret)
{
	if (!tsaddr_is_tailscale4(v4))
		return -ERR_BAD_VALUE;
	*ret = tsaddr_four_to_six.ip;
	memcpy(ret->b + 13, v4.b + 1, 3);
	return 0;
}

int tsaddr_6to4(struct ipaddr v6, struct ipaddr *ret)
{
	if (!ipprefix_contains(tsaddr_four_to_six, v6))
		return -ERR_BAD_VALUE;
	*ret = ipaddr_v4(100, v6.b[13], v6.b[14], v6.b[15]);
	return 0;
}

int tsaddr_map_via(uint32_t site, struct ipprefix v4, struct ipprefix *ret)
{
	if (v4.ip.family != 4)
		return -ERR_BAD_VALUE;
	ret->ip = tsaddr_via.ip;
	store_be32(ret->ip.b + 8, site);
	memcpy(ret->ip.b + 12, v4.ip.b, 4);
	ret->bits = (uint8_t)(96 + v4.bits);
	return 0;
}

struct ipaddr tsaddr_unmap_via(struct ipaddr a)
{
	return ipprefix_contains(tsaddr_via, a) ? ipaddr_from4(a.b + 12) : a;
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* A number with an optional prefix for its base; single underscores between digits, and behind the prefix. */
static int site_parse(const char *s, size_t len, uint32_t *ret)
{
	unsigned base = 10;
	uint64_t v = 0;
	bool can_skip = false; /* an underscore may stand here */

	if (len > 1 && s[0] == '0') {
		base = s[1] == 'x' ? 16 : s[1] == 'b' ? 2 : 8;
		can_skip = true;
		s += base == 8 && s[1] != 'o' ? 1 : 2;
		len -= base == 8 && s[-1] != 'o' ? 1 : 2;
	}
	if (!len || s[len - 1] == '_')
		return -ERR_BAD_FORMAT;
	for (size_t i = 0; i < len; i++) {
		unsigned d = (unsigned)digit(s[i]);

		if (s[i] == '_' && can_skip) {
			can_skip = false;
			continue;
		}
		if (d >= base)
			return -ERR_BAD_FORMAT;
		v = v * base + d;
		can_skip = true;
		if (v > UINT32_MAX)
			return -ERR_BAD_VALUE;
	}
	*ret = (uint32_t)v;
	return 0;
}

int tsaddr_via_of_name(struct view fqdn, struct ipaddr *ret)
{
	char text[NAME_FQDN_MAX + 1] = "", *dot, *via, *rest;
	struct ipprefix prefix;
	struct ipaddr v4;
	uint32_t site;

	if (!fqdn.len || fqdn.len > NAME_FQDN_MAX)
		return -ERR_BAD_FORMAT;
	for (size_t i = 0; i < fqdn.len; i++)
		text[i] = ascii_lower((char)fqdn.p[i]);
	dot = strchr(text, '.');
	rest = dot ? dot + 1 : text + fqdn.len;
	if (dot)
		*dot = 0;
	via = strstr(text, "-via-");
	if (!via ||
		(*rest && !name_has_suffix(view_of(rest, strlen(rest)), VIEW_LIT("ts.net")) &&
			!name_has_suffix(view_of(rest, strlen(rest)), VIEW_LIT("tailscale.net"))))
		return -ERR_BAD_FORMAT;
	for (char *p = text; p < via; p++)
		*p = *p == '-' ? '.' : *p;
	if (ipaddr_parse(text, (size_t)(via - text), &v4) < 0 || v4.family != 4 ||
		site_parse(via + 5, strlen(via + 5), &site) < 0)
		return -ERR_BAD_FORMAT;
	if (tsaddr_map_via(site, ipprefix_single(v4), &prefix) < 0)
		return -ERR_BAD_FORMAT;
	*ret = prefix.ip;
	return 0;
}

bool tsaddr_is_via_prefix(struct ipprefix p)
{
	return ipprefix_contains(tsaddr_via, p.ip);
}

/* CRC-32 of IEEE 802.3, bit by bit: of three bytes. */
static uint32_t crc32_ieee(const uint8_t *p, size_t n)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

uint16_t tsaddr_peerapi_port(struct ipaddr a, unsigned try)
{
	uint8_t b[16];

	ipaddr_to16(a, b);
	b[13] = (uint8_t)(b[13] + try);
	return (uint16_t)(0x8000 | (crc32_ieee(b + 13, 3) & 0xffff));
}
