/* Any bytes: no crash, and what parses has children that lie inside their parent, in order. */
#include "proto/hujson/hujson.h"

static void check_inside(const struct hujson *v)
{
	const uint8_t *from = v->raw.p, *end = v->raw.p + v->raw.len;
	size_t n = 0;

	hujson_for_each(c, v) {
		CHECK(c->raw.p > from && c->raw.p + c->raw.len < end);
		CHECK((c->name != NULL) == (v->kind == HUJSON_OBJECT));
		check_inside(c);
		from = c->raw.p + c->raw.len - 1;
		n++;
	}
	CHECK(n == v->n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena a;
	struct hujson *root;
	struct err_at at;

	arena_init(&a, 1 << 20);
	if (hujson_parse(data, len, &a, &root, &at) == 0)
		check_inside(root);
	arena_fini(&a);
	return 0;
}
