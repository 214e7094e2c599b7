/* Text to address and back, and any address to text and back: both are one value with one text. */
#include "base/netip/netip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void of_text(const char *s, size_t len)
{
	char one[IPPORT_TEXT_MAX], two[IPPORT_TEXT_MAX];
	struct ipaddr a, b;
	struct ipport p, q;
	struct ipprefix x, y;

	if (ipaddr_parse(s, len, &a) == 0) {
		CHECK(ipaddr_parse(ipaddr_format(a, one), strlen(one), &b) == 0 && ipaddr_eq(a, b));
		CHECK(strcmp(one, ipaddr_format(b, two)) == 0 && strlen(one) < IPADDR_TEXT_MAX);
	}
	if (ipport_parse(s, len, &p) == 0) {
		CHECK(ipport_parse(ipport_format(p, one), strlen(one), &q) == 0 && ipport_eq(p, q));
		CHECK(strcmp(one, ipport_format(q, two)) == 0);
	}
	if (ipprefix_parse(s, len, &x) == 0) {
		CHECK(x.bits <= ipaddr_bits(x.ip));
		CHECK(ipprefix_parse(ipprefix_format(x, one), strlen(one), &y) == 0 &&
			ipprefix_eq(x, y));
		CHECK(strcmp(one, ipprefix_format(y, two)) == 0 && strlen(one) < IPPREFIX_TEXT_MAX);
		CHECK(ipprefix_contains(x, x.ip) && ipprefix_overlaps(x, ipprefix_masked(x)));
	}
}

static void of_bytes(const uint8_t *b, size_t len)
{
	char text[IPPORT_TEXT_MAX];
	uint8_t raw[16];
	struct ipprefix prefix, x;
	struct ipport port, q;
	struct ipaddr a, again;

	if (len < 19)
		return;
	a = b[0] & 1 ? ipaddr_from4(b + 1) : ipaddr_from16(b + 1);
	ipaddr_to16(a, raw);
	CHECK(ipaddr_eq(a, ipaddr_from16(raw)));
	CHECK(ipaddr_parse(ipaddr_format(a, text), strlen(text), &again) == 0 &&
		ipaddr_eq(a, again));
	port = (struct ipport){ .ip = a, .port = (uint16_t)(b[17] << 8 | b[18]) };
	CHECK(ipport_parse(ipport_format(port, text), strlen(text), &q) == 0 && ipport_eq(port, q));
	prefix = (struct ipprefix){ .ip = a, .bits = (uint8_t)(b[18] % (ipaddr_bits(a) + 1)) };
	CHECK(ipprefix_parse(ipprefix_format(prefix, text), strlen(text), &x) == 0 &&
		ipprefix_eq(prefix, x));
	CHECK(ipaddr_cmp(iprange_of(prefix).first, a) <= 0 &&
		ipaddr_cmp(iprange_of(prefix).last, a) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	of_text((const char *)data, len);
	of_bytes(data, len);
	return 0;
}
