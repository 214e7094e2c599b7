#include "proto/proxyproto/proxyproto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* However the bytes come in: each beginning of a header wants more, and the whole says the same whatever stands behind it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct proxyproto a, b;
	size_t used, again;

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
