#include "proto/tsaddr/tsaddr.h"

#include "base/err/err.h"

#define ULA 0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0

const struct ipprefix tsaddr_cgnat = { { 4, { 100, 64 } }, 10 };
const struct ipprefix tsaddr_chromeos_vm = { { 4, { 100, 115, 92 } }, 23 };
const struct ipprefix tsaddr_ula = { { 6, { ULA } }, 48 };
const struct ipprefix tsaddr_via = { { 6, { ULA, 0x0b, 0x1a } }, 64 };
const struct ipprefix tsaddr_four_to_six = { { 6, { ULA, 0xab, 0x12, 0x48, 0x43, 0xcd, 0x96, 0x62 } }, 104 };
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

bool tsaddr_is_via_prefix(struct ipprefix p)
{
	return ipprefix_contains(tsaddr_via, p.ip);
}
