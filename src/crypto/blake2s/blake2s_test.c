#include "crypto/blake2s/blake2s.h"
#include "testlib/vectors.h"

#include <stdlib.h>

static void kdf_gives_the_recorded_outputs(void **state)
{
	json_t *file = vectors_load("wg.json"), *s = vectors_section(file, "kdf"), *c;
	size_t i;

	json_array_foreach(s, i, c)
	{
		uint8_t key[32], want[3][32], got[3][32];
		size_t n;
		uint8_t *in = vec_hex(c, "input", &n);

		vec_hex_exact(c, "key", key, 32);
		vec_hex_exact(c, "t0", want[0], 32);
		vec_hex_exact(c, "t1", want[1], 32);
		vec_hex_exact(c, "t2", want[2], 32);
		blake2s_kdf(got[0], got[1], got[2], key, in, n);
		CHECK_MEM(got, want, sizeof(want));
		blake2s_kdf(got[0], NULL, NULL, key, in, n);
		CHECK_MEM(got[0], want[0], 32);
		blake2s_kdf(NULL, got[1], NULL, key, in, n);
		CHECK_MEM(got[1], want[1], 32);
		blake2s_kdf(
			key, got[1], NULL, key, in, n); /* the chaining key is replaced in place */
		CHECK_MEM(key, want[0], 32);
		free(in);
	}
	vectors_count("wg.json", "kdf", json_array_size(s));
	json_decref(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(kdf_gives_the_recorded_outputs) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
