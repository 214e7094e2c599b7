#include "crypto/sha256/sha256.h"
#include "testlib/vectors.h"

/* FIPS 180-4's examples. */
static void examples_of_the_standard(void **state)
{
	static const struct {
		const char *text, *hex;
	} row[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
			"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		char hex[SHA256_HEX_LEN];

		sha256_hex(row[i].text, strlen(row[i].text), hex);
		CHECK_STR(hex, row[i].hex);
	}
}

/* RFC 4231, case 2. */
static void hmac_as_in_the_rfc(void **state)
{
	static const uint8_t want[SHA256_LEN] = { 0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e,
		0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27,
		0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43 };
	uint8_t got[SHA256_LEN];

	sha256_hmac(VIEW_LIT("Jefe"), VIEW_LIT("what do ya want for nothing?"), got);
	CHECK_MEM(got, want, sizeof(want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_of_the_standard),
		cmocka_unit_test(hmac_as_in_the_rfc),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
