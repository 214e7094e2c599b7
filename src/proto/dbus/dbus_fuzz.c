#include "proto/dbus/dbus.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A message is read within its bytes; a body that its signature describes can be passed over. Anything else turns bad and ends. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct dbus_head h;
	struct dbus_in in;
	size_t used;
	int values = 0;

	if (dbus_parse(data, len, &h, &in, &used) != 0)
		return 0;
	CHECK(used <= len && in.p + in.len == data + used);
	while (!in.bad && h.signature.len) {
		size_t before = h.signature.len;

		dbus_skip(&in, &h.signature);
		CHECK(in.bad || h.signature.len < before);
		CHECK(in.at <= in.len && ++values < 256);
	}
	return 0;
}
