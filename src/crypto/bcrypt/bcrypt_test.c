/* Hashes of others: vectors of the original (crypt_blowfish, public domain), and keys of a headscale 0.29.2. */
#include "crypto/bcrypt/bcrypt.h"
#include "testlib/check.h"

static const struct {
	const char *secret, *hash;
} vectors[] = {
	{ "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" },
	{ "U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK" },
	{ "", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy" },
	{ "j7Z7K4KPU77gVmciPH7mXYQtdFOFLNXc8aavtb0mj4iDWUje0WHA7t7cexOWG3Ur",
		"$2a$10$iQMxtjry2GhWESlpAD5T7uut.13RhBhM8JFkDUSD5UYVBqyb7wZje" },
};

static void holds(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct view s = view_of(vectors[i].secret, strlen(vectors[i].secret));

		CHECK_TRUE(bcrypt_holds(s, vectors[i].hash));
		CHECK_TRUE(!bcrypt_holds(view_of("U*V", 3), vectors[i].hash));
	}
}

static void refuses_what_is_no_hash(void **state)
{
	static const char *const bad[] = { "", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.",
		"$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$2a$0x$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyO:W",
		"$1$aaaaaaaa$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	char longer[BCRYPT_SECRET_MAX + 1];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_TRUE(!bcrypt_hash_is_good(bad[i]));
		CHECK_TRUE(!bcrypt_holds(view_of("U*U", 3), bad[i]));
	}
	/* bcrypt itself would look at the first 72 bytes, and at those before a zero, only. */
	memset(longer, 'a', sizeof(longer));
	CHECK_TRUE(!bcrypt_holds(view_of(longer, sizeof(longer)), vectors[0].hash));
	CHECK_TRUE(!bcrypt_holds(view_of("U*U\0x", 5), vectors[0].hash));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(holds),
		cmocka_unit_test(refuses_what_is_no_hash) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
