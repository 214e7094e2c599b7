#include "base/siphash/siphash.h"
#include "testlib/check.h"

/* The first and last of the 64 vectors of the SipHash paper's reference program. */
static void siphash_agrees_with_its_reference(void **state)
{
	static const uint8_t none[8] = { 0x31, 0x0e, 0x0e, 0xdd, 0x47, 0xdb, 0x6f, 0x72 };
	static const uint8_t fifteen[8] = { 0xe5, 0x45, 0xbe, 0x49, 0x61, 0xca, 0x29, 0xa1 };
	uint8_t key[16], in[15];

	(void)state;
	for (uint8_t i = 0; i < 16; i++)
		key[i] = i;
	for (uint8_t i = 0; i < 15; i++)
		in[i] = i;
	CHECK_TRUE(siphash(key, in, 0) == load_le64(none));
	CHECK_TRUE(siphash(key, in, 15) == load_le64(fifteen));
}

static void a_list_is_more_than_its_bytes(void **state)
{
	static const uint8_t key[16] = { 1, 2, 3 };
	uint64_t ab_c = siphash_next(key, siphash_next(key, 0, "ab", 2), "c", 1),
		 a_bc = siphash_next(key, siphash_next(key, 0, "a", 1), "bc", 2);

	(void)state;
	CHECK_TRUE(ab_c != a_bc);
	CHECK_TRUE(siphash_next(key, 0, "abc", 3) == siphash(key, "abc", 3));
	CHECK_TRUE(siphash_next(key, 1, "abc", 3) != siphash(key, "abc", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_agrees_with_its_reference),
		cmocka_unit_test(a_list_is_more_than_its_bytes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
