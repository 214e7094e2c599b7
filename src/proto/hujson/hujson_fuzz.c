/*
 * Any bytes: no crash, and what parses has children that lie inside their parent, in order; its canonical form stays as it is
 * when it is formatted again, and is plain JSON once its comments are blanked.
 */
#include "proto/hujson/hujson.h"

static void check_inside(const struct hujson *v)
{
	const uint8_t *from = v->raw.p, *end = v->raw.p + v->raw.len;
	size_t n = 0;

	hujson_for_each(c, v)
	{
		CHECK(c->raw.p > from && c->raw.p + c->raw.len < end);
		CHECK((c->name != NULL) == (v->kind == HUJSON_OBJECT));
		check_inside(c);
		from = c->raw.p + c->raw.len - 1;
		n++;
	}
	CHECK(n == v->n);
}

static void check_forms(const uint8_t *data, size_t len)
{
	struct buf once, twice, standard;

	buf_init(&once, 1 << 20);
	buf_init(&twice, 1 << 20);
	buf_init(&standard, 1 << 20);
	if (hujson_format(data, len, &once, NULL) == 0) {
		CHECK(hujson_format(buf_data(&once), buf_len(&once), &twice, NULL) == 0);
		CHECK(view_eq(buf_view(&once), buf_view(&twice)));
		CHECK(hujson_standardize(data, len, &standard, NULL) == 0 &&
			buf_len(&standard) == len);
		buf_clear(&twice);
		CHECK(hujson_standardize(buf_data(&standard), len, &twice, NULL) == 0);
		CHECK(view_eq(buf_view(&standard), buf_view(&twice)));
	}
	buf_fini(&once);
	buf_fini(&twice);
	buf_fini(&standard);
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
	check_forms(data, len);
	return 0;
}
