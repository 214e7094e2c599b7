#include "base/buf/buf.h"
#include "base/err/err.h"
#include "base/rng/rng.h"
#include "testlib/check.h"

static void append_refuses_to_pass_the_maximum_and_keeps_the_content(void **state)
{
	struct buf b;

	buf_init(&b, 10);
	CHECK_INT(buf_append(&b, "12345678", 8), ==, 0);
	CHECK_INT(buf_append(&b, "abc", 3), ==, -ERR_TOO_BIG);
	CHECK_INT(buf_append(&b, "ab", 2), ==, 0);
	CHECK_STR(buf_cstr(&b), "12345678ab");
	buf_consume(&b, 9);
	CHECK_INT(buf_append(&b, "123456789", 9), ==, 0);
	CHECK_STR(buf_cstr(&b), "b123456789");
	buf_fini(&b);
	buf_fini(&b);
}

static void printf_writes_text_of_any_length(void **state)
{
	struct buf b;

	buf_init(&b, 1000);
	CHECK_INT(buf_printf(&b, "%0*d", 500, 7), ==, 0);
	CHECK_INT(buf_len(&b), ==, 500);
	CHECK_INT(buf_printf(&b, "%0*d", 501, 7), ==, -ERR_TOO_BIG);
	CHECK_INT(buf_len(&b), ==, 500);
	buf_fini(&b);
}

/* Random appends, consumes and truncates against a plain array. */
static void model_run(bool secret)
{
	enum { MAX = 3000 };
	static uint8_t model[MAX];
	size_t len = 0;
	struct rng_seeded r;
	struct buf b;

	rng_seeded_init(&r, secret ? 2 : 1);
	if (secret)
		buf_init_secret(&b, MAX);
	else
		buf_init(&b, MAX);
	for (int i = 0; i < 20000; i++) {
		uint8_t chunk[200];
		size_t n = rng_below(&r.rng, sizeof(chunk));

		switch (rng_below(&r.rng, 4)) {
		case 0:
		case 1:
			rng_fill(&r.rng, chunk, n);
			if (buf_append(&b, chunk, n) == 0) {
				memcpy(model + len, chunk, n);
				len += n;
			} else {
				CHECK_INT(len + n, >, MAX);
			}
			break;
		case 2:
			n = rng_below(&r.rng, len + 1);
			buf_consume(&b, n);
			memmove(model, model + n, len - n);
			len -= n;
			break;
		default:
			n = len - MIN_OF(len, n);
			buf_truncate(&b, n);
			len = n;
		}
		CHECK_INT(buf_len(&b), ==, len);
		CHECK_MEM(buf_data(&b), model, len);
	}
	buf_fini(&b);
}

static void content_equals_a_plain_array_after_any_sequence(void **state)
{
	model_run(false);
	model_run(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(append_refuses_to_pass_the_maximum_and_keeps_the_content),
		cmocka_unit_test(printf_writes_text_of_any_length),
		cmocka_unit_test(content_equals_a_plain_array_after_any_sequence),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
