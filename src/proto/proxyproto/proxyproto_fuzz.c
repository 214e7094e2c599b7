#include "proto/proxyproto/proxyproto.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* As a proxy writes it: the client of either version is read as it was named. */
static void written(const uint8_t *data, size_t len)
{
	static const uint8_t signature[] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55,
		0x49, 0x54, 0x0a, 0x21 };
	uint8_t v2[52] = { 0 };
	char v1[PROXYPROTO_LINE_MAX + 1], text[IPADDR_TEXT_MAX];
	struct proxyproto got;
	struct ipport from;
	size_t used, n;

	if (len < 19)
		return;
	from.ip = data[0] & 1 ? ipaddr_from4(data + 1) : ipaddr_from16(data + 1);
	from.port = (uint16_t)(data[17] << 8 | data[18]);
	n = from.ip.family == 4 ? 4 : 16;
	memcpy(v2, signature, sizeof(signature));
	v2[13] = n == 4 ? 0x11 : 0x21;
	v2[15] = (uint8_t)(2 * n + 4);
	memcpy(v2 + 16, from.ip.b, n);
	memcpy(v2 + 16 + 2 * n, data + 17, 2);
	CHECK(proxyproto_decode(v2, 20 + 2 * n, &got, &used) == 0 && used == 20 + 2 * n &&
		got.named && ipport_eq(got.from, from));
	ipaddr_format(from.ip, text);
	used = (size_t)snprintf(v1, sizeof(v1), "PROXY TCP%d %s %s %u 443\r\n", n == 4 ? 4 : 6,
		text, text, from.port);
	CHECK(proxyproto_decode((const uint8_t *)v1, used, &got, &n) == 0 && n == used &&
		got.named && ipport_eq(got.from, from));
}

/* However the bytes come in: each beginning of a header wants more, and the whole says the same whatever stands behind it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct proxyproto a, b;
	size_t used, again;

	written(data, len);
	if (proxyproto_decode(data, len, &a, &used) != 0)
		return 0;
	CHECK(used > 0 && used <= len && used <= PROXYPROTO_MAX);
	CHECK(ipaddr_is_set(a.from.ip) == a.named);
	for (size_t n = 1; n < used; n++)
		CHECK(proxyproto_decode(data, n, &b, &again) == PROXYPROTO_MORE);
	CHECK(proxyproto_decode(data, used, &b, &again) == 0 && again == used);
	CHECK(a.named == b.named && ipport_eq(a.from, b.from));
	return 0;
}
