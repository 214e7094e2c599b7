#include "hubctl/zone.h"
#include "proto/tailcfg/tailcfg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena mem;
	struct zone z;

	arena_init(&mem, 4 << 20);
	if (zone_read(view_of(data, len), &mem, &z) == 0)
		for (size_t i = 0; i < z.records.n; i++) {
			const struct tc_dns_record *r = JSON_AT(z.records, struct tc_dns_record, i);

			CHECK(*r->name && *r->type && *r->value);
		}
	arena_fini(&mem);
	return 0;
}
