/* A poll's body as a hostile hub would send it. */
#include "core/ctlclient/mapstream.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct mapstream m;
	struct view json;

	if (mapstream_init(&m, 1 << 16, 1 << 20) == 0 && mapstream_feed(&m, view_of(p, len)) == 0)
		while (mapstream_next(&m, &json) > 0)
			;
	mapstream_fini(&m);
	return 0;
}
