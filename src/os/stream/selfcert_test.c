#include "os/stream/selfcert.h"
#include "testlib/vectors.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];

static void certificate_is_for_the_name_or_address_it_was_made_for(void **state)
{
	static const char *const names[] = { "hub.example.org", "192.0.2.1", "2001:db8::1",
		"a-label-of-more-than-fifty-characters-in-length-for-once.in-a-domain.example" };
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		CHECK_INT(selfcert_write(path, names[i]), ==, 0);
		for (size_t k = 0; k < ARRAY_LEN(names); k++)
			CHECK_INT(selfcert_holds(path, names[k]), ==, i == k);
	}
	CHECK_INT(stat(path, &st), ==, 0);
	CHECK_INT(st.st_mode & 07777, ==, 0600);
	unlink(path);
	CHECK_TRUE(!selfcert_holds(path, names[0]));
}

/* What clients look at (docs/protocol/derp.md), and nothing that a monitor would complain about. */
static void relay_key_certificate_has_the_shape_that_clients_look_for(void **state)
{
	uint8_t key[32];
	char cn[80];
	X509 *c;

	memset(key, 0xab, sizeof(key));
	c = selfcert_relay_key(key, 2);
	CHECK_TRUE(c != NULL);
	CHECK_INT(
		X509_NAME_get_text_by_NID(X509_get_subject_name(c), NID_commonName, cn, sizeof(cn)),
		==, 71);
	CHECK_STR(cn, "derpkeyabababababababababababababababababababababababababababababababab");
	CHECK_INT(ASN1_INTEGER_get(X509_get_serialNumber(c)), ==, 2);
	CHECK_INT(X509_get_version(c), ==, 2);
	CHECK_INT(X509_get_ext_count(c), ==, 1);
	CHECK_TRUE(X509_get_ext_by_NID(c, NID_basic_constraints, -1) == 0);
	CHECK_INT(X509_verify(c, X509_get0_pubkey(c)), ==, 1);
	X509_free(c);
}

/* Ours beside the original's: subject, issuer, serial number, version, extensions. */
static void relay_key_certificate_is_like_the_recorded_one(void **state)
{
	json_t *file = vectors_load("derp.json"),
	       *c = json_array_get(vectors_section(file, "meta_cert"), 0);
	uint8_t key[32], read[32], version = 0, *der;
	const uint8_t *at;
	size_t len;
	X509 *theirs, *ours;

	der = vec_hex(c, "der", &len);
	at = der;
	theirs = d2i_X509(NULL, &at, (long)len);
	vec_hex_exact(c, "server_public", key, sizeof(key));
	ours = selfcert_relay_key(key, 2);
	CHECK_TRUE(theirs && ours);
	CHECK_INT(X509_NAME_cmp(X509_get_subject_name(ours), X509_get_subject_name(theirs)), ==, 0);
	CHECK_INT(X509_NAME_cmp(X509_get_issuer_name(ours), X509_get_issuer_name(theirs)), ==, 0);
	CHECK_INT(ASN1_INTEGER_cmp(X509_get_serialNumber(ours), X509_get_serialNumber(theirs)), ==,
		0);
	CHECK_INT(X509_get_version(ours), ==, X509_get_version(theirs));
	CHECK_INT(X509_get_ext_count(ours), ==, X509_get_ext_count(theirs));
	CHECK_INT(X509_get_ext_by_NID(theirs, NID_basic_constraints, -1), ==, 0);
	CHECK_INT(X509_get_signature_nid(ours), ==, X509_get_signature_nid(theirs));
	vectors_count("derp.json", "meta_cert", 1);
	CHECK_TRUE(selfcert_names_relay_key(theirs, read, &version));
	CHECK_MEM(read, key, sizeof(key));
	CHECK_INT(version, ==, 2);
	memset(read, 0, sizeof(read));
	CHECK_TRUE(selfcert_names_relay_key(ours, read, &version));
	CHECK_MEM(read, key, sizeof(key));
	X509_free(ours);
	X509_free(theirs);
	free(der);
	json_decref(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificate_is_for_the_name_or_address_it_was_made_for),
		cmocka_unit_test(relay_key_certificate_has_the_shape_that_clients_look_for),
		cmocka_unit_test(relay_key_certificate_is_like_the_recorded_one),
	};

	snprintf(path, sizeof(path), "/tmp/selfcert-%d.pem", (int)getpid());
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
