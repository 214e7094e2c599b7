#include "proto/forwarded/forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A list of proxies, a NUL, and a request. Who is trusted nobody becomes by what he writes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *end = memchr(data, 0, len);
	struct ipport proxy = { .ip = ipaddr_v4(127, 0, 0, 1), .port = 1 },
		      stranger = { .ip = ipaddr_v4(192, 0, 2, 1), .port = 2 }, from;
	struct forwarded_trust t = { 0 };
	static struct http1_head head;
	size_t used;
	bool bad;

	if (!end)
		return 0;
	CHECK(forwarded_trust_add(&t, "127.0.0.1") == 0);
	CHECK((forwarded_trust_add(&t, (const char *)data) == 0) == (t.n > 1) &&
		t.n <= FORWARDED_PROXIES_MAX);
	if (http1_parse(end + 1, len - (size_t)(end + 1 - data), false, &head, &used) != 0)
		return 0;
	from = forwarded_client(&t, proxy, &head, &bad);
	CHECK(ipaddr_is_set(from.ip));
	if (!forwarded_trusts(&t, stranger.ip)) {
		from = forwarded_client(&t, stranger, &head, &bad);
		CHECK(ipport_eq(from, stranger) && !bad);
	}
	return 0;
}
