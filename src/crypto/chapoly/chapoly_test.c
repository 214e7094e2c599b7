#include "crypto/chapoly/chapoly.h"
#include "base/rng/rng.h"
#include "testlib/check.h"

/* Two libraries stand behind the two forms: they must agree. */
static void batch_and_one_shot_agree(void **state)
{
	struct rng_seeded r;

	rng_seeded_init(&r, 7);
	for (size_t len = 0; len < 300; len += 7) {
		uint8_t key[32], nonce[12] = { 0 }, in[300], a[316], b[2][316], back[300];
		struct chapoly c;
		struct chapoly_job jobs[2];

		rng_fill(&r.rng, key, sizeof(key));
		rng_fill(&r.rng, in, sizeof(in));
		CHECK_INT(chapoly_init(&c, key), ==, 0);
		for (size_t i = 0; i < 2; i++)
			jobs[i] = (struct chapoly_job){
				.counter = 0x0102030405060708 + i, .in = in, .len = len, .out = b[i]
			};
		chapoly_seal_batch(&c, jobs, 2);
		store_le64(nonce + 4, 0x0102030405060709);
		chapoly_seal(key, nonce, view_of(NULL, 0), in, len, a);
		CHECK_MEM(b[1], a, len + 16);
		CHECK_INT(chapoly_open(key, nonce, view_of(NULL, 0), a, len + 16, back), ==, 0);
		CHECK_MEM(back, in, len);
		for (size_t i = 0; i < 2; i++)
			jobs[i] = (struct chapoly_job){ .counter = 0x0102030405060708 + i,
				.in = b[i],
				.len = len + 16,
				.out = b[i] };
		b[0][len / 2] ^= 1;
		chapoly_open_batch(&c, jobs, 2);
		CHECK_TRUE(!jobs[0].ok);
		CHECK_TRUE(jobs[1].ok);
		CHECK_MEM(b[1], in, len);
		chapoly_fini(&c);
		chapoly_fini(&c);
	}
}

static void short_input_is_not_authentic(void **state)
{
	const uint8_t key[32] = { 1 };
	uint8_t in[16] = { 0 }, out[16];
	struct chapoly_job j = { .in = in, .len = 15, .out = out };
	struct chapoly c;

	CHECK_INT(chapoly_init(&c, key), ==, 0);
	chapoly_open_batch(&c, &j, 1);
	CHECK_TRUE(!j.ok);
	CHECK_INT(chapoly_open(key, in, view_of(NULL, 0), in, 15, out), <, 0);
	chapoly_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batch_and_one_shot_agree),
		cmocka_unit_test(short_input_is_not_authentic),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
